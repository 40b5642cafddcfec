package input

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON checks a document that is kept or passed on: one JSON value of at most
// limit bytes that every reader reads alike.
func JSON(document []byte, limit int) string {
	if len(document) > limit {
		return "is longer than " + strconv.Itoa(limit>>10) + " KiB"
	}
	return agreed(document)
}

// agreed says what keeps readers of JSON from agreeing on a document, but for
// members that come twice.
func agreed(document []byte) string {
	switch {
	case len(bytes.TrimSpace(document)) == 0:
		return "is empty"
	case !utf8.Valid(document):
		return "is not UTF-8"
	case !json.Valid(document): // a byte order mark and anything after the value too
		return "is not one valid JSON value"
	case loneSurrogate(document):
		return "holds half of a surrogate pair"
	}
	return ""
}

// loneSurrogate looks for escapes from \ud800 to \udfff that are not a pair, in
// valid JSON: readers disagree on what such a text is.
func loneSurrogate(document []byte) bool {
	open := false // the escape just read is the first half of a pair
	for i := 0; i < len(document); i++ {
		unit := uint64(0)
		if document[i] == '\\' {
			i++ // valid JSON has something after it
			if document[i] == 'u' {
				unit, _ = strconv.ParseUint(string(document[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		if second := unit >= 0xDC00 && unit <= 0xDFFF; second != open {
			return true
		}
		open = unit >= 0xD800 && unit <= 0xDBFF
	}
	return open
}

// TooMany is what is wrong with a body of more members than [Body] allows.
const TooMany = "has too many members"

// Element is an element of an array in a path.
const Element = "[]"

// Body says how a request's body of JSON is read. encoding/json by itself lets
// nearly everything pass that is refused here.
type Body struct {
	// Depth bounds how deep the body may nest, the outermost value included.
	Depth int
	// Members bounds how many the outermost object has; 0 is no bound. One member
	// too many gives [TooMany], also where one comes twice.
	Members int
	// Known says whether the member with this path may be there: its name behind
	// those of the objects that it is in, with [Element] for an array's. nil knows all.
	Known func(path []string) bool
}

// Check reads a body: one value that every reader reads alike, every member
// known, in its own spelling, once, and not nested too deep. at is where the
// fault is, as in note or items[].id, "" for the body as a whole; reason is ""
// where nothing is wrong.
func (b Body) Check(body []byte) (at, reason string) {
	if reason := agreed(body); reason != "" {
		return "", reason
	}
	w := walk{Body: b, decoder: json.NewDecoder(bytes.NewReader(body))}
	w.decoder.UseNumber() // a number out of a float's range is still JSON
	w.value()
	return strings.ReplaceAll(strings.Join(w.path, "."), "."+Element, Element), w.reason
}

// walk is one reading. After a fault, path says where it is.
type walk struct {
	Body
	decoder *json.Decoder
	path    []string
	depth   int
	reason  string
}

// value reads one value and says whether to go on.
func (w *walk) value() bool {
	token, err := w.decoder.Token()
	if err != nil {
		return w.fault("is not one valid JSON value")
	}
	delim, composite := token.(json.Delim)
	if !composite {
		return true
	}
	if w.depth++; w.depth > w.Depth {
		return w.fault("nests too deep")
	}
	read := w.elements
	if delim == '{' {
		read = w.members
	}
	if !read() {
		return false
	}
	w.depth--
	_, err = w.decoder.Token() // the closing one
	return err == nil || w.fault("is not one valid JSON value")
}

func (w *walk) elements() bool {
	w.path = append(w.path, Element)
	for w.decoder.More() {
		if !w.value() {
			return false
		}
	}
	w.path = w.path[:len(w.path)-1]
	return true
}

func (w *walk) members() bool {
	seen, doubled, twice := map[string]bool{}, false, ""
	for n := 1; w.decoder.More(); n++ {
		token, err := w.decoder.Token()
		name, isName := token.(string)
		switch {
		case err != nil || !isName:
			return w.fault("is not one valid JSON value")
		case w.depth == 1 && w.Members > 0 && n > w.Members:
			return w.fault(TooMany)
		case w.Known != nil && !w.Known(append(w.path, name)):
			return w.fault("holds a member that is not known") // its name is the caller's own text
		case seen[name]:
			doubled, twice = true, name
		}
		seen[name] = true
		w.path = append(w.path, name)
		if !w.value() {
			return false
		}
		w.path = w.path[:len(w.path)-1]
	}
	switch {
	case !doubled:
		return true
	case w.Known == nil:
		return w.fault("holds a member twice")
	}
	w.path = append(w.path, twice)
	return w.fault("comes twice")
}

func (w *walk) fault(reason string) bool {
	w.reason = reason
	return false
}
