// Package named gives all errors of the library's exported functions the same form.
package named

import (
	"fmt"
	"strings"
)

// Prefix is the start of every such error.
const Prefix = "sendpromptly: "

// Error adds our name and what was being done: "sendpromptly: accepting stripe/evt_1/credit_grant:
// …". An error that already starts with our name, such as one of package engine's own, is returned
// unchanged, as is nil.
func Error(doing string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), Prefix) {
		return err
	}
	return fmt.Errorf("%s%s: %w", Prefix, doing, err)
}
