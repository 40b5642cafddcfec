package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep a body may nest, the outermost object included.
const maxDepth = 32

// object is the members of a body, each as it was written.
type object map[string]json.RawMessage

// errTooManyFields means that the object has more members than the limit.
var errTooManyFields = errors.New("too many fields")

// malformed says why a body is not an object that every reader would read alike.
// It completes the sentence that begins with "the body".
type malformed string

// Error implements error.
func (m malformed) Error() string { return "the body " + string(m) }

// decode reads one JSON object strictly: UTF-8 without a byte order mark,
// nothing before or after it, no member twice at any depth, no half of a
// surrogate pair. encoding/json by itself lets all but the second pass.
//
// Errors: errTooManyFields and malformed.
func decode(body []byte, maxFields int) (object, error) {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, malformed("is empty")
	case !utf8.Valid(body):
		return nil, malformed("is not UTF-8")
	case !json.Valid(body): // a byte order mark and anything after the value too
		return nil, malformed("is not one valid JSON value")
	case loneSurrogate(body):
		return nil, malformed("holds half of a surrogate pair")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed("is not a JSON object")
	}
	members, doubled := object{}, false
	for fields := 1; d.More(); fields++ {
		if fields > maxFields {
			return nil, errTooManyFields
		}
		name, err := d.Token()
		if err != nil {
			return nil, malformed("is not one valid JSON value")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed("is not one valid JSON value")
		}
		text := name.(string) // before a value, Token returns a name
		_, twice := members[text]
		doubled = doubled || twice // the number of fields is checked first
		members[text] = value
	}
	if doubled {
		return nil, malformed("holds a member twice")
	}
	for _, value := range members {
		if err := checkNested(value); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// level is an object or an array that is being read.
type level struct {
	names  map[string]bool // nil in an array
	inName bool            // the next token is a name
}

// checkNested looks through a valid value for members that are there twice and
// for too deep a nesting.
func checkNested(value json.RawMessage) error {
	if value[0] != '{' && value[0] != '[' {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber() // a number out of a float's range is still JSON
	var stack []level
	for {
		token, err := d.Token()
		if err != nil {
			return malformed("is not one valid JSON value")
		}
		if n := len(stack); n > 0 && stack[n-1].inName {
			if name, ok := token.(string); ok {
				if stack[n-1].names[name] {
					return malformed("holds a member twice")
				}
				stack[n-1].names[name] = true
				stack[n-1].inName = false
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}, inName: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
		if len(stack) >= maxDepth {
			return malformed("is nested too deeply")
		}
		if len(stack) == 0 {
			return nil
		}
		if token != json.Delim('{') && token != json.Delim('[') {
			top := &stack[len(stack)-1]
			top.inName = top.names != nil
		}
	}
}

// loneSurrogate looks for \ud800–\udfff escapes that are not a pair, in valid JSON.
func loneSurrogate(body []byte) bool {
	high := false
	for i := 0; i < len(body); i++ {
		unit := uint64(0)
		if body[i] == '\\' {
			i++ // valid JSON has something after it
			if body[i] == 'u' {
				unit, _ = strconv.ParseUint(string(body[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		low := unit >= 0xDC00 && unit <= 0xDFFF
		if high != low {
			return true
		}
		high = unit >= 0xD800 && unit <= 0xDBFF
	}
	return high
}
