package store

import "github.com/sendpromptly/sendpromptly/engine"

// Invalid returns the [engine.FieldError] of a field for a reason of package input; nil without a
// reason.
func Invalid(field, reason string) error {
	if reason == "" {
		return nil
	}
	return &engine.FieldError{Field: field, Reason: reason}
}
