package input

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON checks a document that is stored or passed on: one JSON value of at most limit bytes that
// all parsers read alike.
func JSON(document []byte, limit int) string {
	if len(document) > limit {
		return "is longer than " + strconv.Itoa(limit>>10) + " KiB"
	}
	return agreed(document)
}

// agreed returns the reason why parsers may read a document differently, except for repeated
// members.
func agreed(document []byte) string {
	switch {
	case len(bytes.TrimSpace(document)) == 0:
		return "is empty"
	case !utf8.Valid(document):
		return "is not UTF-8"
	case !json.Valid(document): // a byte order mark and anything after the value too
		return "is not one valid JSON value"
	case loneSurrogate(document):
		return "contains half of a surrogate pair"
	}
	return ""
}

// loneSurrogate finds escapes from \ud800 to \udfff that are not a pair, in valid JSON: parsers
// read such texts differently.
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

// TooMany is the reason for a body with more members than [Body] allows.
const TooMany = "has too many members"

// Element is an element of an array in a path.
const Element = "[]"

// Body defines which JSON a request's body may contain. encoding/json alone accepts nearly
// everything that is refused here.
type Body struct {
	// Depth is how deep the body may nest, including the outermost value.
	Depth int
	// Members is the most members of the outermost object; 0 is no limit. More members give
	// [TooMany], even if one is repeated.
	Members int
	// Known reports whether a member is allowed. Its path has the names of the objects around it,
	// with [Element] for an array. nil allows all.
	Known func(path []string) bool
}

// Check checks a body: one value that all parsers read alike, not nested too deep, with known
// members only, exactly spelled and none repeated. at is where the fault is, such as note or
// items[].id, or "" for the whole body; reason is "" for a valid body.
func (b Body) Check(body []byte) (at, reason string) {
	if reason := agreed(body); reason != "" {
		return "", reason
	}
	w := walk{Body: b, decoder: json.NewDecoder(bytes.NewReader(body))}
	w.decoder.UseNumber() // a number out of a float's range is still JSON
	w.value()
	return strings.ReplaceAll(strings.Join(w.path, "."), "."+Element, Element), w.reason
}

// walk is one pass over a body. After a fault, path is where it is.
type walk struct {
	Body
	decoder *json.Decoder
	path    []string
	depth   int
	reason  string
}

// value reads one value and reports whether to continue.
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
		return w.fault("is nested too deep")
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
			return w.fault("has an unknown member") // its name is the caller's own text
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
		return w.fault("has a member twice")
	}
	w.path = append(w.path, twice)
	return w.fault("occurs twice")
}

func (w *walk) fault(reason string) bool {
	w.reason = reason
	return false
}
