package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

// LastID is after every id of ours.
const LastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// NotAnID is the reason of a refusal.
const NotAnID = "is not an id of ours, a UUID"

// CheckID refuses what is not an id of ours.
func CheckID(field, s string) error {
	if !id.Valid(s) {
		return &engine.FieldError{Field: field, Reason: NotAnID}
	}
	return nil
}

// CheckText refuses what Postgres could not store, or not find again.
func CheckText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return &engine.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", limit)}
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return &engine.FieldError{Field: field, Reason: "is not text in UTF-8 without NUL"}
	}
	return nil
}

// CheckPresent is CheckText for what must not be empty.
func CheckPresent(field, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return &engine.FieldError{Field: field, Reason: "is empty"}
	}
	return CheckText(field, s, limit)
}

// CheckName refuses what would not do as a label or a name in a log.
func CheckName(field, s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return &engine.FieldError{Field: field, Reason: "is empty"}
	case len(s) > 255:
		return &engine.FieldError{Field: field, Reason: "is longer than 255 bytes"}
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &engine.FieldError{Field: field, Reason: "holds control characters or is not UTF-8"}
	}
	return nil
}
