package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

// lastID is after every id of ours.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

const notAnID = "is not an id of ours, a UUID"

// checkID refuses what is not an id of ours.
func checkID(field, s string) error {
	if !id.Valid(s) {
		return &engine.FieldError{Field: field, Reason: notAnID}
	}
	return nil
}

// checkText refuses what Postgres could not store, or not find again.
func checkText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return &engine.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", limit)}
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return &engine.FieldError{Field: field, Reason: "is not text in UTF-8 without NUL"}
	}
	return nil
}

// checkPresent is checkText for what must not be empty.
func checkPresent(field, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return &engine.FieldError{Field: field, Reason: "is empty"}
	}
	return checkText(field, s, limit)
}

// value is what a pointer points to, zero for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
