package engine

import "github.com/sendpromptly/sendpromptly/internal/input"

// Key names one effect for ever: it is the idempotency key of every signal.
// The engine's project completes it (see [Config]).
type Key struct {
	// Provider is who sent the event: "stripe", "shopify" or any name of
	// 1 to 64 characters out of a-z, 0-9, "_" and "-".
	Provider string
	// EventID is the provider's own id of the event, 1 to 255 characters.
	EventID string
	// Effect is the type of the thing owed, such as "credit_grant": 1 to 64
	// characters without spaces. One event may owe several effects.
	Effect string
}

// String writes the key as provider/event/effect, for logs and errors.
func (k Key) String() string { return k.Provider + "/" + k.EventID + "/" + k.Effect }

// validate returns a [*FieldError] for the first part that Postgres would
// refuse, so that a wrong key never reaches the caller's transaction.
func (k Key) validate() error {
	if reason := input.Provider(k.Provider); reason != "" {
		return &FieldError{"Provider", reason}
	}
	if reason := input.Name(k.EventID, input.NameLimit); reason != "" {
		return &FieldError{"EventID", reason}
	}
	if reason := input.Name(k.Effect, input.EffectLimit); reason != "" {
		return &FieldError{"Effect", reason}
	}
	return nil
}
