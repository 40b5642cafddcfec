package canonical

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays nest.
const maxDepth = 8

// Decode reads one object, which must be spelled as [Encode] spells it: no spaces,
// members sorted by name without duplicates, only necessary escapes, and numbers
// without sign, fraction or exponent.
func Decode(text []byte) (Object, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	d := decoder{text: text}
	o, err := d.object(1)
	switch {
	case err != nil:
		return nil, fmt.Errorf("byte %d: %w", d.at, err)
	case d.at != len(text):
		return nil, fmt.Errorf("byte %d: unexpected text after the object", d.at)
	case !bytes.Equal(Encode(o), text): // a rule above should have refused it
		return nil, errors.New("not the canonical spelling")
	}
	return o, nil
}

type decoder struct {
	text []byte
	at   int
}

// take skips the next byte if it is c.
func (d *decoder) take(c byte) bool {
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *decoder) object(depth int) (Object, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	if !d.take('{') {
		return nil, errors.New("not an object")
	}
	o, last := Object{}, ""
	if d.take('}') {
		return o, nil
	}
	for {
		name, err := d.str()
		if err != nil {
			return nil, err
		}
		if len(o) > 0 && name <= last {
			return nil, errors.New("a member is out of order or duplicate")
		}
		last = name
		if !d.take(':') {
			return nil, errors.New("a colon is missing")
		}
		if o[name], err = d.value(depth); err != nil {
			return nil, err
		}
		if d.take('}') {
			return o, nil
		}
		if !d.take(',') {
			return nil, errors.New("expected a comma or the end of the object")
		}
	}
}

func (d *decoder) array(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	d.at++ // value saw the bracket
	list := []any{}
	if d.take(']') {
		return list, nil
	}
	for {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if d.take(']') {
			return list, nil
		}
		if !d.take(',') {
			return nil, errors.New("expected a comma or the end of the array")
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if d.at == len(d.text) {
		return nil, errors.New("a value is missing")
	}
	switch c := d.text[d.at]; {
	case c == '"':
		return d.str()
	case c == '{':
		return d.object(depth + 1)
	case c == '[':
		return d.array(depth + 1)
	case c >= '0' && c <= '9':
		return d.integer()
	}
	return nil, errors.New("not an object, an array, a string or a whole number")
}

func (d *decoder) integer() (int64, error) {
	from := d.at
	for d.at < len(d.text) && d.text[d.at] >= '0' && d.text[d.at] <= '9' {
		d.at++
	}
	digits := string(d.text[from:d.at])
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > MaxInteger || digits[0] == '0' && len(digits) > 1 {
		return 0, errors.New("the number is out of range or has a leading zero")
	}
	return n, nil
}

func (d *decoder) str() (string, error) {
	if !d.take('"') {
		return "", errors.New("not a string")
	}
	var out []byte
	for d.at < len(d.text) {
		c := d.text[d.at]
		d.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", errors.New("the string contains an unescaped control character")
		case c == '\\':
			plain, err := d.escape()
			if err != nil {
				return "", err
			}
			c = plain
		}
		out = append(out, c)
	}
	return "", errors.New("the string is not terminated")
}

// escape reads what follows a backslash.
func (d *decoder) escape() (byte, error) {
	if d.at < len(d.text) {
		letter := d.text[d.at]
		if letter == '"' || letter == '\\' {
			d.at++
			return letter, nil
		}
		for c, l := range short {
			if l == letter {
				d.at++
				return c, nil
			}
		}
		if letter == 'u' && len(d.text)-d.at >= 5 {
			n, err := strconv.ParseUint(string(d.text[d.at+1:d.at+5]), 16, 8)
			if err == nil && n < ' ' {
				d.at += 5
				return byte(n), nil
			}
		}
	}
	return 0, errors.New("an escape is not necessary or not known")
}
