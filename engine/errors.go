package engine

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/actions"
)

// FieldError says which input is invalid and why. Nothing was sent to Postgres, and the caller's
// transaction is unchanged.
type FieldError struct {
	// Field is the Go name of the field or argument, such as "EventID".
	Field string
	// Reason completes the sentence that starts with the field: "has more than 16 ids". It never
	// repeats the value.
	Reason string
}

func (e *FieldError) Error() string { return "sendpromptly: " + e.Field + " " + e.Reason }

// RefusedError says why an operator's action was refused. Nothing changed.
type RefusedError struct {
	// Action is the refused action: "reprocess", "stop", "close", "reopen", "note" or "try_now".
	Action string
	// State is the incident's current state.
	State State
	// Reason says why, and what to do instead.
	Reason string
	// Changed is true if the incident no longer has the revision given to [IfRevision].
	Changed bool
	// Revision is the incident's current revision.
	Revision int
}

func (e *RefusedError) Error() string { return "sendpromptly: " + e.Action + " refused: " + e.Reason }

var (
	// ErrUnknownEffect means that no receipt was recorded for the key. An outcome needs a receipt
	// first, unless [Config.AdoptUnknown] is set.
	ErrUnknownEffect = errors.New("sendpromptly: no receipt for this key")
	// ErrClosed means that an operator closed the effect's incident, so Apply does not run the
	// effect. Reopen and Reprocess open the incident again.
	ErrClosed = errors.New("sendpromptly: the incident of this effect was closed by an operator")
	// ErrNotFound means that the engine's project has no incident or effect with this id.
	ErrNotFound = actions.ErrNotFound
)
