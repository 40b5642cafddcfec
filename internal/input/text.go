// Package input defines which texts, ids, times and numbers are valid, for Go callers, the command
// line, forms and both APIs.
//
// A check returns the reason why a value is invalid, as the rest of a sentence that starts with the
// field's name: "is longer than 255 characters". It returns "" for a valid value, and never repeats
// the value, which may be a secret. Each caller puts the reason into its own type of error.
package input

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of texts, in characters.
const (
	// NameLimit is for names and ids: an event's id, an object's id, an operator.
	NameLimit = 255
	// EffectLimit is for the type of an effect, and for a provider.
	EffectLimit = 64
	// TypeLimit is for a provider's event type, a deploy label and an error code.
	TypeLimit = 128
	// ReplayLimit is for the id of an attempt.
	ReplayLimit = 64
	// NoteLimit is for notes and error messages.
	NoteLimit = 2000
)

// Text checks a text that may be empty: what Postgres can store, of at most
// limit characters. Characters are code points, as Postgres counts them.
func Text(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsRune(s, 0):
		return "contains a NUL character"
	case utf8.RuneCountInString(s) > limit:
		return "is longer than " + strconv.Itoa(limit) + " characters"
	}
	return ""
}

// Present is [Text] for a text that must not be empty or blank.
func Present(s string, limit int) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return Text(s, limit)
}

// Name is [Text] for a part of a key or another system's id: not empty, without spaces and control
// characters.
func Name(s string, limit int) string {
	if s == "" {
		return "is empty"
	}
	if reason := Text(s, limit); reason != "" {
		return reason
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "must not contain spaces or control characters"
	}
	return ""
}

// Label checks a one-line text for people: not blank, without control characters.
func Label(s string, limit int) string {
	if reason := Present(s, limit); reason != "" {
		return reason
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "must not contain control characters"
	}
	return ""
}

// Provider checks the name of a provider: 1 to 64 of a-z, 0-9, _ and -.
func Provider(s string) string {
	if reason := Name(s, EffectLimit); reason != "" {
		return reason
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return "must contain only a-z, 0-9, \"_\" and \"-\""
		}
	}
	return ""
}

// Currency checks the form of an ISO 4217 code, in any case, not whether the code exists.
func Currency(s string) string {
	if len(s) != 3 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		return "is not an ISO 4217 code of three letters"
	}
	return ""
}

// Cut makes any text storable: it replaces invalid UTF-8, drops NUL and cuts the text to limit
// characters. It is for messages, so that an unusual message never prevents recording a failure.
func Cut(s string, limit int) string {
	// No more bytes can be kept, so a message of megabytes costs no more than its beginning.
	s = s[:min(len(s), (limit+1)*utf8.UTFMax)]
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	kept := 0
	for at := range s {
		if kept == limit {
			return s[:at]
		}
		kept++
	}
	return s
}

// Clip cuts a text for people to limit characters; an ellipsis shows the cut.
func Clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return Cut(s, limit-1) + "…"
}
