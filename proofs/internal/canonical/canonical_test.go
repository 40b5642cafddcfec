package canonical

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryValueHasOneSpelling(t *testing.T) {
	t.Parallel()
	o := Object{
		"b":    int64(0),
		"a":    "é\u2028 <&> \"\\ \b\t\n\f\r\x00\x1f\x7f",
		"list": []any{},
		"Z":    Object{"n": int64(MaxInteger), "m": []any{"x", int64(1)}},
	}
	const want = `{"Z":{"m":["x",1],"n":9007199254740991},"a":"é` + "\u2028" +
		` <&> \"\\ \b\t\n\f\r\u0000\u001f` + "\x7f" + `","b":0,"list":[]}`
	text := Encode(o)
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	back, err := Decode(text)
	if diff := cmp.Diff(o, back); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if !json.Valid(text) {
		t.Error("that is not JSON")
	}
}

func TestOtherSpellingsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `null`, `[]`, `"a"`, `1`, `{`, `}`, `{}}`, `{} `, ` {}`, "\ufeff{}", "{}\n", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`,
		`{"a":1 }`, `{"a": 1}`,
		`{"a":1"b":2}`, `{"b":1,"a":2}`, `{"a":1,"a":1}`, `{"a":1,"a":2}`, `{a:1}`, `{'a':1}`, `{"a":true}`, `{"a":null}`, `{"a":-1}`,
		`{"a":1.0}`,
		`{"a":1e3}`, `{"a":01}`, `{"a":+1}`, `{"a":9007199254740992}`, `{"a":9223372036854775808}`, `{"a":NaN}`,
		`{"a":"` + "\n" + `"}`, `{"a":"\/"}`,
		`{"a":"\u0041"}`, `{"a":"\u000a"}`, `{"a":"\u001F"}`, `{"a":"\u00e9"}`, `{"a":"\ud800"}`, `{"a":"\x41"}`, `{"a":"\`,
		`{"a":"\u00`, `{"a":"` + "\xff" + `"}`,
		`{"a":"b}`, `{"a":[1,]}`, `{"a":[1 ,2]}`, `{"a":[`, `{"a":[1`, `{"\u0061":1}`, `{"a":1}{"a":1}`, "{\"a\":1}\x00", `{"":1,"":1}`,
		strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9), `{"a":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "}",
	} {
		if o, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, o)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{"c":"\u0000"},"é"]}`, `{"a":1 }`, `{"b":1,"a":1}`, `{"a":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := Decode(text)
		if err != nil {
			return
		}
		if !bytes.Equal(Encode(o), text) {
			t.Errorf("%q is not spelled as it would be written", text)
		}
		if !json.Valid(text) {
			t.Errorf("%q is not JSON", text)
		}
	})
}
