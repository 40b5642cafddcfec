package webhook

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadBodyRefusesWhatIsTooLong(t *testing.T) {
	for _, test := range []struct {
		name    string
		body    io.Reader
		want    string
		tooLong bool
	}{
		{"empty", nil, "", false},
		{"short", strings.NewReader("abc"), "abc", false},
		{"exactly the limit", strings.NewReader("abcd"), "abcd", false},
		{"one more", strings.NewReader("abcde"), "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ReadBody(httptest.NewRequest("POST", "/", test.body), 4)
			var tooLong *http.MaxBytesError
			if errors.As(err, &tooLong) != test.tooLong || string(got) != test.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if got, err := ReadBody(&http.Request{}, 4); got != nil || err != nil {
		t.Errorf("without a body: got %q, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		s              string
		name, storable bool
	}{
		{"evt_1", true, true},
		{"", false, true},
		{"12345678", true, true},
		{"123456789", false, false},
		{"a b", false, true},
		{"a\u00a0b", false, true},
		{"a\nb", false, false},
		{"a\x00b", false, false},
		{"a\xffb", false, false},
		{"größe", true, true},
	} {
		if got := IsName(test.s, 8); got != test.name {
			t.Errorf("IsName(%q) = %v", test.s, got)
		}
		if got := Storable(test.s, 8); got != test.storable {
			t.Errorf("Storable(%q) = %v", test.s, got)
		}
	}
}

func TestPayloadLeavesOutWhatTheEngineRefuses(t *testing.T) {
	for _, test := range []struct {
		name, body string
		kept       bool
	}{
		{"plain", `{"a":"ü\u00fc\ud83d\ude00"}`, true},
		{"an escaped backslash before a u", `{"a":"\\ud800"}`, true},
		{"the largest", `"` + strings.Repeat("a", MaxPayload-2) + `"`, true},
		{"one byte more", `"` + strings.Repeat("a", MaxPayload-1) + `"`, false},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", false},
		{"a first half alone", `{"a":"\ud800"}`, false},
		{"a second half alone", `{"a":"\uDE00"}`, false},
		{"two first halves", `{"a":"\ud83d\ud83d\ude00"}`, false},
		{"a pair with something between", `{"a":"\ud83dx\ude00"}`, false},
		{"a first half and an escape", `{"a":"\ud83d\n"}`, false},
		{"a first half at the very end", `"\ud83d`, false},
	} {
		if got := Payload([]byte(test.body)); (got != nil) != test.kept {
			t.Errorf("%s: kept %v", test.name, got != nil)
		}
	}
}
