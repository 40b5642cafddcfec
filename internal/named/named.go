// Package named gives the errors that leave the library's exported functions
// their one form.
package named

import (
	"fmt"
	"strings"
)

// Prefix is what every such error begins with.
const Prefix = "sendpromptly: "

// Error says whose error it is and what was being done, once: "sendpromptly:
// accepting stripe/evt_1/credit_grant: …". One that begins with the name already,
// such as those of the types and variables of package engine, stays as it is, as
// does nil.
func Error(doing string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), Prefix) {
		return err
	}
	return fmt.Errorf("%s%s: %w", Prefix, doing, err)
}
