package input_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

func TestTextCountsCharactersAndNotBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"empty":                  {"", ""},
		"as long as it may be":   {strings.Repeat("я", 10), ""},
		"one character too many": {strings.Repeat("я", 11), "is longer than 10 characters"},
		"a character of 4 bytes": {strings.Repeat("😀", 10), ""},
		"NUL":                    {"a\x00b", "contains a NUL character"},
		"half a character":       {"a\xd1", "is not valid UTF-8"},
		"an encoded surrogate":   {"\xed\xa0\x80", "is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := input.Text(c.text, 10); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestPresentWantsMoreThanSpaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "is empty", " \t\n": "is empty", " a ": "",
		"abcd": "is longer than 3 characters",
	} {
		if got := input.Present(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNameHoldsNoSpacesAndNoControlCharacters(t *testing.T) {
	t.Parallel()
	const bad = "must not contain spaces or control characters"
	for text, want := range map[string]string{
		"": "is empty", "evt_1": "", "жук": "", "a b": bad, "a\u00a0b": bad,
		"a\x1bb": bad, "a\u0085": bad,
	} {
		if got := input.Name(text, 255); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestProviderIsASimpleName(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"stripe": true, "my-bank_2": true, "Stripe": false, "ſtripe": false, "a.b": false, "": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false,
	} {
		if got := input.Provider(text) == ""; got != good {
			t.Errorf("%q: %v, want %v", text, got, good)
		}
	}
}

func TestCurrencyIsThreeLetters(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"EUR": true, "eur": true, "EU": false, "EURO": false, "E1R": false, "€": false,
		"": false, "EU\u212a": false,
	} {
		if got := input.Currency(text) == ""; got != good {
			t.Errorf("%q: %v, want %v", text, got, good)
		}
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "abc": "abc", "abcd": "abc", "яяяя": "яяя", "a\x00b": "ab", "a\xffb": "a\uFFFDb", "😀😀😀😀": "😀😀😀",
		"\xed\xa0\x80": "\uFFFD", "a世界c": "a世界",
	} {
		if got := input.Cut(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLabelIsOneLine(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"CI deploy": true, "": false, "  ": false, "a\nb": false, "a\x7fb": false,
		"a\u0085b": false, "жук": true,
	} {
		if got := input.Label(text, 255) == ""; got != good {
			t.Errorf("%q: %v, want %v", text, got, good)
		}
	}
}

func TestClipShowsWhereItCut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "яяя": "яяя", "яяяя": "яя…"} {
		if got := input.Clip(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzCutIsAlwaysStorable(f *testing.F) {
	f.Add("boom\x00", 3)
	f.Add("\xff\xff\xffяя", 1)
	f.Add(strings.Repeat("я", 3000), 2000)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + (limit&0x7fffffff)%4000
		cut := input.Cut(text, limit)
		if reason := input.Text(cut, limit); reason != "" {
			t.Errorf("%q %s", cut, reason)
		}
		if input.Text(text, limit) == "" && cut != text {
			t.Errorf("%q was changed to %q", text, cut)
		}
		if utf8.ValidString(text) && !strings.ContainsRune(text, 0) && !strings.HasPrefix(text, cut) {
			t.Errorf("%q does not begin with %q", text, cut)
		}
	})
}
