package store

import "github.com/sendpromptly/sendpromptly/engine"

// Invalid is the [engine.FieldError] of a field, for the reason that package
// input gives: nil where there is none.
func Invalid(field, reason string) error {
	if reason == "" {
		return nil
	}
	return &engine.FieldError{Field: field, Reason: reason}
}
