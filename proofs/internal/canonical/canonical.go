// Package canonical reads and writes JSON that has exactly one spelling: the
// subset of RFC 8785 with objects, arrays, strings and whole numbers. It refuses
// every other spelling, so that all readers interpret a text in the same way.
package canonical

import (
	"maps"
	"slices"
	"strconv"
)

// Object is a JSON object. Its values are an Object, a []any, a string or an int64.
type Object map[string]any

// MaxInteger is the largest number, which JSON parsers of all languages read exactly.
const MaxInteger = 1<<53 - 1

// Encode writes the object in its one spelling. It panics if a value has another type
// or a number is out of range: that is a bug of the caller.
func Encode(o Object) []byte { return appendObject(nil, o) }

func appendObject(to []byte, o Object) []byte {
	to = append(to, '{')
	for i, name := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendString(to, name), ':')
		to = appendValue(to, o[name])
	}
	return append(to, '}')
}

func appendValue(to []byte, value any) []byte {
	switch v := value.(type) {
	case Object:
		return appendObject(to, v)
	case string:
		return appendString(to, v)
	case int64:
		if v < 0 || v > MaxInteger {
			panic("canonical: a number is out of range")
		}
		return strconv.AppendInt(to, v, 10)
	case []any:
		to = append(to, '[')
		for i, item := range v {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, item)
		}
		return append(to, ']')
	}
	panic("canonical: a value has another type")
}

// short are the control characters that have a short escape.
var short = map[byte]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

// appendString escapes only the characters that must be escaped.
func appendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for i := range len(s) {
		c := s[i]
		switch letter, has := short[c]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case has:
			to = append(to, '\\', letter)
		case c < ' ':
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			to = append(to, c)
		}
	}
	return append(to, '"')
}
