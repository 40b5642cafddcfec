package secretbox

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func box(t *testing.T, fill string) *Box {
	t.Helper()
	b, err := New(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsSealedOpensOnlyForItsOwnerAndKey(t *testing.T) {
	sealed := box(t, "a").Seal([]byte("secret"), "project 1")
	if got, err := box(t, "a").Open(sealed, "project 1"); err != nil || string(got) != "secret" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	altered := append([]byte(nil), sealed...)
	altered[len(altered)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another owner": func() ([]byte, error) { return box(t, "a").Open(sealed, "project 2") },
		"another key":   func() ([]byte, error) { return box(t, "b").Open(sealed, "project 1") },
		"altered":       func() ([]byte, error) { return box(t, "a").Open(altered, "project 1") },
		"cut":           func() ([]byte, error) { return box(t, "a").Open(sealed[:5], "project 1") },
	} {
		if got, err := open(); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: Open = %q, %v; want ErrOpen", name, got, err)
		}
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	b := box(t, "a")
	if string(b.Seal([]byte("x"), "o")) == string(b.Seal([]byte("x"), "o")) {
		t.Error("a nonce was used twice")
	}
}

func TestAKeyOfTheWrongSizeIsRefused(t *testing.T) {
	for _, key := range []string{
		"", "short", base64.StdEncoding.EncodeToString(make([]byte, 16)),
		"!" + strings.Repeat("A", 43),
	} {
		if _, err := New(key); err == nil {
			t.Errorf("New(%d characters) accepted", len(key))
		}
	}
}
