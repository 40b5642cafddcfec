package callback

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestNewSecretsAreDifferentAndOfTheDocumentedForm(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b {
		t.Error("two secrets are the same")
	}
	for _, secret := range []string{a, b} {
		if key, err := decodeSecret(secret); err != nil || len(key) != 32 {
			t.Errorf("%d bytes, %v", len(key), err)
		}
	}
}

func TestSecretsOfAnotherFormAreRefused(t *testing.T) {
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, test := range []struct {
		name, secret string
		ok           bool
	}{
		{"the vector's", vectorSecret, true},
		{"24 bytes", of(24), true},
		{"64 bytes", of(64), true},
		{"23 bytes", of(23), false},
		{"65 bytes", of(65), false},
		{"empty", "", false},
		{"the prefix alone", "whsec_", false},
		{"without prefix", vectorSecret[6:], false},
		{"another prefix", "sk_" + vectorSecret[6:], false},
		{"without padding", strings.TrimRight(of(32), "="), false},
		{"stray bits at the end", of(32)[:48] + "B=", false},
		{"URL-safe alphabet", strings.Replace(of(32), "A", "-", 1), false},
		{"a line break", of(32) + "\n", false},
		{"a space", " " + vectorSecret, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeSecret(test.secret)
			if (err == nil) != test.ok {
				t.Errorf("%s: %v", test.name, err)
			}
			if err != nil && len(test.secret) > 10 && strings.Contains(err.Error(), test.secret[6:]) {
				t.Errorf("%q holds the secret", err)
			}
		})
	}
}
