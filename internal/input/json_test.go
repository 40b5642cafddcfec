package input_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

func TestJSONIsWhatAllReadersReadAlike(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"a":1}`:                             "",
		`1`:                                   "",
		"":                                    "is empty",
		" \n":                                 "is empty",
		"\ufeff{}":                            "is not one valid JSON value",
		`{} {}`:                               "is not one valid JSON value",
		"\"\xff\"":                            "is not UTF-8",
		`"\ud83d\ude00"`:                      "",
		`"\ud83d"`:                            "contains half of a surrogate pair",
		`"\ude00"`:                            "contains half of a surrogate pair",
		`"\ude00\ud83d"`:                      "contains half of a surrogate pair",
		`"\ud83dx\ude00"`:                     "contains half of a surrogate pair",
		`"\\ud83d"`:                           "",
		`{"\ud83d":1}`:                        "contains half of a surrogate pair",
		`"` + strings.Repeat("a", 1023) + `"`: "is longer than 1 KiB",
	} {
		if got := input.JSON([]byte(document), 1<<10); got != want {
			t.Errorf("%.40q: %q, want %q", document, got, want)
		}
	}
}

func TestBodyWithKnownMembers(t *testing.T) {
	t.Parallel()
	known := []string{"note", "filter", "filter.open", "items", "items.[].id"}
	body := input.Body{Depth: 4, Known: func(path []string) bool { return slices.Contains(known, strings.Join(path, ".")) }}
	for _, c := range []struct{ body, at, reason string }{
		{`{"note":"a","filter":{"open":true},"items":[{"id":1},{"id":2}]}`, "", ""},
		{`{"Note":"a"}`, "", "has an unknown member"},
		{`{"filter":{"note":1}}`, "filter", "has an unknown member"},
		{`{"note":"a","note":"b"}`, "note", "occurs twice"},
		{`{"note":"a","\u006eote":"b"}`, "note", "occurs twice"},
		{`{"items":[{"id":1,"id":2}]}`, "items[].id", "occurs twice"},
		{`{"note":[[[[1]]]]}`, "note[][][]", "is nested too deep"},
		{`{"note":1e999}`, "", ""},
		{`{"note":"\ud800"}`, "", "contains half of a surrogate pair"},
		{`{`, "", "is not one valid JSON value"},
	} {
		if at, reason := body.Check([]byte(c.body)); at != c.at || reason != c.reason {
			t.Errorf("%s: %q %q, want %q %q", c.body, at, reason, c.at, c.reason)
		}
	}
}

func TestBodyOfAnyMembersHoldsNoneTwice(t *testing.T) {
	t.Parallel()
	body := input.Body{Depth: 3}
	for text, want := range map[string]string{
		`{"a":1,"A":2,"b":{"a":[{"c":1}]}}`: "is nested too deep",
		`{"a":1,"A":2,"b":{"a":[1]}}`:       "",
		`{"a":1,"a":2}`:                     "has a member twice",
		`{"x":{"a":1,"\u0061":2}}`:          "has a member twice",
		`[{"a":1},{"a":1}]`:                 "",
	} {
		if _, reason := body.Check([]byte(text)); reason != want {
			t.Errorf("%s: %q, want %q", text, reason, want)
		}
	}
}

func FuzzBodyNeverPanicsAndNeverTakesWhatIsNoJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":{"b":[1,2,{"c":null}]}}`, `{"a":1,"a":2}`, `[[[[[]]]]]`, `"\ud800\udc00"`,
		"{\"a\":\"\xff\"}", `{"a"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, reason := (input.Body{Depth: 8}).Check(body); reason == "" && !json.Valid(body) {
			t.Errorf("%q was taken", body)
		}
	})
}
