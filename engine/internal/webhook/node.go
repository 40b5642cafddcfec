package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// Node is one value of a JSON document. A missing value is the zero Node, whose methods return zero
// values.
type Node struct{ value any }

// Parse reads a body that must be exactly one JSON object. Numbers keep their digits, so that ids
// above 2^53 survive. Its errors never quote the body.
func Parse(body []byte) (Node, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		// The decoder's own message may quote the body.
		return Node{}, errors.New("is not a JSON object")
	}
	if object == nil {
		return Node{}, errors.New("is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return Node{}, errors.New("has more than one JSON value")
	}
	return Node{object}, nil
}

// At returns the value at a path of nested objects.
func (n Node) At(path ...string) Node {
	for _, name := range path {
		object, _ := n.value.(map[string]any)
		n = Node{object[name]}
	}
	return n
}

// List returns the elements of an array.
func (n Node) List() []Node {
	list, _ := n.value.([]any)
	nodes := make([]Node, len(list))
	for i, v := range list {
		nodes[i] = Node{v}
	}
	return nodes
}

// Text returns a string, or a number as it was written.
func (n Node) Text() string {
	switch v := n.value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// ID returns the id of another object, which providers send as the plain id or as the whole object.
func (n Node) ID() string {
	if object, ok := n.value.(map[string]any); ok {
		return Node{object["id"]}.Text()
	}
	return n.Text()
}

// Int returns a number that was written as an integer.
func (n Node) Int() (int64, bool) {
	number, ok := n.value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(number.String(), 10, 64)
	return i, err == nil
}

// Bool returns a boolean.
func (n Node) Bool() (value, ok bool) {
	value, ok = n.value.(bool)
	return value, ok
}

// Texts returns the members of an object that are strings, numbers or booleans, as text.
func (n Node) Texts() map[string]string {
	object, _ := n.value.(map[string]any)
	texts := make(map[string]string, len(object))
	for name, v := range object {
		switch v := v.(type) {
		case bool:
			texts[name] = strconv.FormatBool(v)
		case string, json.Number:
			texts[name] = Node{v}.Text()
		}
	}
	return texts
}
