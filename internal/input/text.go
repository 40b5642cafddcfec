// Package input says once what text, ids, times and numbers from outside may
// be, for Go callers, the command line, forms and both APIs.
//
// A check returns what is wrong with a value, as the rest of a sentence that
// begins with the field's name: "is longer than 255 characters". It returns ""
// where nothing is wrong, and never repeats the value, which may be a secret.
// Each caller puts the reason into its own kind of error.
package input

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of the texts that several surfaces take, in characters.
const (
	// NameLimit is for what names something: an event's id, an object's id, an operator.
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
		return "holds a NUL character"
	case utf8.RuneCountInString(s) > limit:
		return "is longer than " + strconv.Itoa(limit) + " characters"
	}
	return ""
}

// Present is [Text] for a text that must say something: spaces alone do not.
func Present(s string, limit int) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return Text(s, limit)
}

// Name is [Text] for a part of a key or an id of somebody else: it must be
// there, without spaces and control characters.
func Name(s string, limit int) string {
	if s == "" {
		return "is empty"
	}
	if reason := Text(s, limit); reason != "" {
		return reason
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "may not hold spaces or control characters"
	}
	return ""
}

// Label checks a one-line text that people read: present, without control characters.
func Label(s string, limit int) string {
	if reason := Present(s, limit); reason != "" {
		return reason
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "may not hold control characters"
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
			return "may hold only a-z, 0-9, \"_\" and \"-\""
		}
	}
	return ""
}

// Currency checks a code of ISO 4217, in any case. It does not know which exist.
func Currency(s string) string {
	if len(s) != 3 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		return "is not an ISO 4217 code of three letters"
	}
	return ""
}

// Cut makes any text storable and at most limit characters long: invalid UTF-8
// is replaced, NUL is dropped, and the rest is cut. It is for messages, which
// must never be the reason that a failure goes unrecorded.
func Cut(s string, limit int) string {
	// Nothing behind this many bytes can be kept, so that a message of megabytes costs no more than its beginning.
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

// Clip is a text of at most limit characters for people to read, which shows
// where it was cut.
func Clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return Cut(s, limit-1) + "…"
}
