package id

import (
	"strings"
	"testing"
)

func TestOnlyUUIDsInTextFormAreValid(t *testing.T) {
	for range 100 {
		if made := New(); !Valid(made) || made[14] != '4' || !strings.ContainsRune("89ab", rune(made[19])) {
			t.Fatalf("New() = %s", made)
		}
	}
	good := "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
	if !Valid(good) || !Valid(strings.ToUpper(good)) {
		t.Error("a good id was refused")
	}
	for _, bad := range []string{"", zero, good[1:], good + "0", strings.ReplaceAll(good, "-", ""), "{" + good[2:] + "}",
		strings.Replace(good, "-", "0", 1), strings.Replace(good, "a", "g", 1), strings.Replace(good, "1", "-", 1)} {
		if Valid(bad) {
			t.Errorf("Valid(%q)", bad)
		}
	}
}
