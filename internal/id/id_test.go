package id

import (
	"strings"
	"testing"
)

func TestNewMakesRandomUUIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		made := New()
		if len(made) != 36 || made[14] != '4' || !strings.ContainsRune("89ab", rune(made[19])) || seen[made] {
			t.Fatalf("New() = %s", made)
		}
		seen[made] = true
	}
}
