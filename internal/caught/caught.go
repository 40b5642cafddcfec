// Package caught turns panics into errors: background work runs inside the app's process and must
// not end it.
package caught

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
)

// Error is a panic. Its text is one line; Stack is the stack at the panic.
type Error struct {
	Value any
	Stack string
}

func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// maxStack is how much of a stack is kept, in bytes: enough to find the line.
const maxStack = 8 << 10

// Panic must be deferred. It joins a panic with the error that the function returns.
func Panic(err *error) {
	if value := recover(); value != nil {
		stack := debug.Stack()
		*err = errors.Join(*err, &Error{value, string(stack[:min(len(stack), maxStack)])})
	}
}

// Call calls do and returns a panic in it as an error.
func Call(do func() error) (err error) {
	defer Panic(&err)
	return do()
}

// Is reports whether err contains a panic.
func Is(err error) bool {
	var panicked *Error
	return errors.As(err, &panicked)
}

// stacks returns the stacks of all panics in err.
func stacks(err error) (all []string) {
	switch e := err.(type) { //nolint:errorlint // every branch is walked below
	case *Error:
		return []string{e.Stack}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			all = append(all, stacks(one)...)
		}
	case interface{ Unwrap() error }:
		return stacks(e.Unwrap())
	}
	return all
}

// Log logs err, with the stacks of its panics. If the logger itself panics, the message goes to
// standard error.
func Log(ctx context.Context, logger *slog.Logger, level slog.Level, message string, err error, attrs ...any) {
	defer func() {
		if value := recover(); value != nil {
			_, _ = fmt.Fprintf(os.Stderr, "%s: %v (the logger panicked: %v)\n", message, err, value)
		}
	}()
	attrs = append(attrs, "error", err)
	if all := stacks(err); len(all) > 0 {
		attrs = append(attrs, "stack", strings.Join(all, "\n"))
	}
	logger.Log(ctx, level, message, attrs...) //nolint:sloglint // the message is a constant of the caller
}
