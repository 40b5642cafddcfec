package engine

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/actions"
)

// FieldError says which input is wrong and how. Nothing was sent to Postgres:
// the caller's transaction is untouched.
type FieldError struct {
	// Field is the Go name of the field or argument, such as "EventID".
	Field string
	// Reason completes the sentence that begins with the field. It never
	// repeats the value.
	Reason string
}

func (e *FieldError) Error() string { return "sendpromptly: " + e.Field + " " + e.Reason }

// RefusedError says why an operator's action was turned down. Nothing changed.
type RefusedError struct {
	// Action is what was asked: "reprocess", "stop", "close", "reopen", "note" or "try_now".
	Action string
	// State is the incident's state that does not allow it.
	State State
	// Reason completes the sentence, with a hint at what to do instead.
	Reason string
	// Changed says that the incident is not at the revision of [IfRevision] any more.
	Changed bool
	// Revision is the incident's revision now.
	Revision int
}

func (e *RefusedError) Error() string { return "sendpromptly: " + e.Action + " refused: " + e.Reason }

var (
	// ErrUnknownEffect means that no receipt was recorded for the key: an
	// outcome may not come before its receipt (see [Config.AdoptUnknown]).
	ErrUnknownEffect = errors.New("sendpromptly: no receipt for this key")
	// ErrClosed means that an operator closed the effect's incident: Apply does
	// not run it any more. Reopen and Reprocess open it again.
	ErrClosed = errors.New("sendpromptly: the incident of this effect was closed by an operator")
	// ErrNotFound means that the engine's project has no such incident or effect.
	ErrNotFound = actions.ErrNotFound
)
