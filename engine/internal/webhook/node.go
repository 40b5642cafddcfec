package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// Node is one value of a JSON document. Looking for what is not there gives
// the zero Node, whose every method answers with the zero value.
type Node struct{ value any }

// Parse reads a body that must be exactly one JSON object. Numbers keep their
// digits, so that ids beyond 2^53 survive. Its errors never quote the body.
func Parse(body []byte) (Node, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		// The decoder's own message may quote what it stumbled over.
		return Node{}, errors.New("is not a JSON object")
	}
	if object == nil {
		return Node{}, errors.New("is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return Node{}, errors.New("holds more than one JSON value")
	}
	return Node{object}, nil
}

// At walks down the members of nested objects.
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

// ID returns a reference to another object, which providers write as a plain
// id or as the whole object with its id in it.
func (n Node) ID() string {
	if object, ok := n.value.(map[string]any); ok {
		return Node{object["id"]}.Text()
	}
	return n.Text()
}

// Int returns a whole number that was written as one.
func (n Node) Int() (int64, bool) {
	number, ok := n.value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(number.String(), 10, 64)
	return i, err == nil
}

// Bool returns a truth value.
func (n Node) Bool() (value, ok bool) {
	value, ok = n.value.(bool)
	return value, ok
}

// Texts returns the members of an object that are strings, numbers or truth
// values, as texts.
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
