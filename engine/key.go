package engine

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Key names one effect for ever: it is the idempotency key of every signal.
// The engine's project completes it (see [Config]).
type Key struct {
	// Provider is who sent the event: "stripe", "shopify" or any name of
	// 1 to 64 characters out of a-z, 0-9, "_" and "-".
	Provider string
	// EventID is the provider's own id of the event, 1 to 255 bytes.
	EventID string
	// Effect is the type of the thing owed, such as "credit_grant": 1 to 64
	// bytes without spaces. One event may owe several effects.
	Effect string
}

// String writes the key as provider/event/effect, for logs and errors.
func (k Key) String() string { return k.Provider + "/" + k.EventID + "/" + k.Effect }

// validate returns a [*FieldError] for the first part that Postgres would
// refuse, so that a wrong key never reaches the caller's transaction.
func (k Key) validate() error {
	if err := validName("Provider", k.Provider, 64); err != nil {
		return err
	}
	for _, r := range k.Provider {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return &FieldError{"Provider", "may hold only a-z, 0-9, \"_\" and \"-\""}
		}
	}
	if err := validName("EventID", k.EventID, 255); err != nil {
		return err
	}
	return validName("Effect", k.Effect, 64)
}

// validName is the rule for a text that is part of a key: present, bounded,
// printable and without spaces.
func validName(field, s string, limit int) error {
	if s == "" {
		return &FieldError{field, "is empty"}
	}
	if err := validText(field, s, limit); err != nil {
		return err
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return &FieldError{field, "may not hold spaces or control characters"}
	}
	return nil
}

// validText is the rule for any other text: what Postgres can store, bounded.
func validText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return &FieldError{field, "is longer than " + strconv.Itoa(limit) + " bytes"}
	case !utf8.ValidString(s):
		return &FieldError{field, "is not valid UTF-8"}
	case strings.ContainsRune(s, 0):
		return &FieldError{field, "holds a NUL byte"}
	}
	return nil
}

// validPresent is validText for a text that may hold spaces but not be missing.
func validPresent(field, s string, limit int) error {
	if s == "" {
		return &FieldError{field, "is empty"}
	}
	return validText(field, s, limit)
}
