package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeKeepsMembersAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	members, err := decode([]byte(` {"a": 1.50, "b" :{"c": [ ] }, "d\u0065":"x"} `), 3)
	if err != nil || len(members) != 3 || string(members["a"]) != "1.50" || string(members["b"]) != `{"c": [ ] }` ||
		string(members["de"]) != `"x"` {
		t.Errorf("%v, %v", members, err)
	}
	if _, err := decode([]byte(`{"a":1,"b":2,"c":3,"d":4}`), 3); !errors.Is(err, errTooManyFields) {
		t.Errorf("four of three fields: %v", err)
	}
	if _, err := decode([]byte(`{"a":1,"a":2,"c":3,"d":4}`), 3); !errors.Is(err, errTooManyFields) {
		t.Errorf("four of three fields, one of them twice: %v", err)
	}
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	nested := func(depth int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`)
	}
	if _, err := decode(nested(maxDepth), 1); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
	var wrong malformed
	for _, depth := range []int{maxDepth + 1, 5000, 100000} {
		if _, err := decode(nested(depth), 1); !errors.As(err, &wrong) {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

// Whatever decode takes, encoding/json reads alike: an object in UTF-8 whose
// members are those that it has.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":{"b":[{"c":null}]}}`, `{"a":{"b":1,"b":1}}`,
		"\xef\xbb\xbf{}", `{} {}`, `[]`, `{"a":1e999}`, `{"\u0061":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":[[],[{}],{"x":[]}]}`,
		`{"a":"\\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := decode(body, 8)
		var wrong malformed
		if err != nil {
			if !errors.As(err, &wrong) && !errors.Is(err, errTooManyFields) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		var reference map[string]json.RawMessage
		if err := json.Unmarshal(body, &reference); err != nil || !utf8.Valid(body) {
			t.Fatalf("taken, and refused by encoding/json: %v", err)
		}
		if len(reference) != len(members) || len(members) > 8 {
			t.Fatalf("%d members, encoding/json has %d", len(members), len(reference))
		}
		for name, value := range members {
			if string(reference[name]) != string(value) {
				t.Fatalf("%q is %s, encoding/json has %s", name, value, reference[name])
			}
			if strings.ContainsRune(name, utf8.RuneError) != strings.Contains(string(body), "\uFFFD") &&
				!strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
				t.Fatalf("a name was mended: %q", name)
			}
		}
	})
}

// No body makes reading a receipt or a result panic, and no answer repeats it.
func FuzzForms(f *testing.F) {
	f.Add(
		[]byte(
			`{"provider":"stripe","provider_event_id":"evt_1","event_type":"invoice.paid","effect_type":"credit_grant",` +
				`"internal_reference":"a","occurred_at":"2026-03-01T12:00:00Z"}`,
		),
	)
	f.Add([]byte(`{"event_id":"0190a000-0000-7000-8000-000000000000","status":"failed","error_message":"x"}`))
	f.Add([]byte(`{"provider":{},"amount":1e3,"currency":[],"livemode":"x","payload":1,"timeout_minutes":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := decode(body, 64)
		if err != nil {
			return
		}
		if a, err := readReceipt(
			members,
		); err == nil &&
			(a.EventID == "" || a.Provider == "" || a.Effect == "" || a.OccurredAt.IsZero()) {
			t.Fatalf("a receipt without a key: %+v", a)
		}
		_, err = readResult(members)
		var p *problem
		if errors.As(err, &p) && len(p.body()) > 4<<10 {
			t.Fatalf("an answer of %d bytes", len(p.body()))
		}
	})
}
