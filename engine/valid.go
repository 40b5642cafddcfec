package engine

import (
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// validID checks an id that we issued.
func validID(field, s string) error {
	if reason := input.UUID(s); reason != "" {
		return &FieldError{field, reason}
	}
	return nil
}

// validText checks a text that may be empty.
func validText(field, s string, limit int) error {
	if reason := input.Text(s, limit); reason != "" {
		return &FieldError{field, reason}
	}
	return nil
}

// validTx refuses a nil transaction, including a nil pointer in an interface, whose methods would
// panic.
func validTx(tx pgx.Tx) error {
	if tx == nil {
		return &FieldError{"tx", "is nil"}
	}
	if v := reflect.ValueOf(tx); v.Kind() == reflect.Pointer && v.IsNil() {
		return &FieldError{"tx", "is nil"}
	}
	return nil
}
