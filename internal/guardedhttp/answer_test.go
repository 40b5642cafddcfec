package guardedhttp

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"empty", "", ""},
		{"short", "it is done: ü", "it is done: ü"},
		{"invalid UTF-8 and NUL", "a\xffb\x00c", "a\uFFFDbc"},
		{"the limit", strings.Repeat("a", 4096), strings.Repeat("a", 4096)},
		{"over the limit", strings.Repeat("a", 5000), strings.Repeat("a", 4096)},
		{"a rune across the limit", strings.Repeat("a", 4095) + "ü", strings.Repeat("a", 4095)},
		{"what grows over the limit", strings.Repeat("\xff\x61", 2048), strings.Repeat("\uFFFDa", 1024)},
	} {
		if got := Text(strings.NewReader(test.body)); got != test.want {
			t.Errorf("%s: %d bytes %.20q…", test.name, len(got), got)
		}
	}
	cut := io.MultiReader(strings.NewReader("partly"), iotest.ErrReader(errors.New("reset")))
	if got := Text(cut); got != "partly" {
		t.Errorf("after an error: %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\xff\x00ü")
	f.Add(strings.Repeat("\xe2\x82", 4000))
	f.Fuzz(func(t *testing.T, body string) {
		if got := Text(strings.NewReader(body)); len(got) > 4096 || !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("%d bytes, %.40q", len(got), got)
		}
	})
}
