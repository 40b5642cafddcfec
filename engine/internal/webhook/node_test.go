package webhook

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseTakesOneObject(t *testing.T) {
	for _, test := range []struct {
		body string
		ok   bool
	}{
		{`{}`, true},
		{" {\"a\":1}\n ", true},
		{``, false},
		{`null`, false},
		{`[]`, false},
		{`"a"`, false},
		{`{"a":1`, false},
		{`{} {}`, false},
		{`{}x`, false},
		{`{"a":01}`, false},
		{strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), false},
	} {
		if _, err := Parse([]byte(test.body)); (err == nil) != test.ok {
			t.Errorf("Parse(%.20q): %v", test.body, err)
		}
	}
}

func TestNodeFindsAndForgives(t *testing.T) {
	n, err := Parse([]byte(`{
		"plain": "pi_1", "expanded": {"id": "pi_2"}, "numbered": {"id": 9007199254740993},
		"big": 9007199254740993, "fraction": 1.5, "huge": 1e400, "yes": true, "none": null,
		"list": [{"id": "a"}, 7], "meta": {"user": "u1", "n": 7, "b": false, "x": null, "o": {}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"plain": "pi_1", "expanded": "pi_2", "numbered": "9007199254740993", "big": "9007199254740993",
		"none": "", "list": "", "yes": "", "absent": "",
	} {
		if got := n.At(path).ID(); got != want {
			t.Errorf("%s: id %q, want %q", path, got, want)
		}
	}
	if got := n.At("plain", "deeper", "still").ID(); got != "" {
		t.Errorf("below a text: %q", got)
	}
	if i, ok := n.At("big").Int(); !ok || i != 9007199254740993 {
		t.Errorf("big: %d, %v", i, ok)
	}
	for _, path := range []string{"fraction", "huge", "plain", "absent"} {
		if i, ok := n.At(path).Int(); ok {
			t.Errorf("%s: %d is no whole number", path, i)
		}
	}
	if v, ok := n.At("yes").Bool(); !v || !ok {
		t.Error("yes is not true")
	}
	if _, ok := n.At("plain").Bool(); ok {
		t.Error("a text is no truth value")
	}
	if list := n.At("list").List(); len(list) != 2 || list[0].ID() != "a" || list[1].ID() != "7" {
		t.Errorf("list: %v", list)
	}
	if list := n.At("plain").List(); len(list) != 0 {
		t.Errorf("a text as a list: %v", list)
	}
	want := map[string]string{"user": "u1", "n": "7", "b": "false"}
	if got := n.At("meta").Texts(); !reflect.DeepEqual(got, want) {
		t.Errorf("meta: %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,"x",null,true]}}`))
	f.Add([]byte(`{"a":9007199254740993}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := Parse(body)
		if err != nil {
			return
		}
		// Nothing may panic, whatever the shape.
		n.At("a").ID()
		n.At("a", "b").Texts()
		n.At("a").Int()
		for _, e := range n.At("a", "b").List() {
			e.ID()
			e.Bool()
		}
	})
}
