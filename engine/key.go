package engine

import "github.com/sendpromptly/sendpromptly/internal/input"

// Key identifies one effect within the engine's project, permanently. It is the idempotency key of
// every signal.
type Key struct {
	// Provider is the sender of the event: "stripe", "shopify" or any other name of 1 to 64
	// characters from a-z, 0-9, "_" and "-".
	Provider string
	// EventID is the provider's id of the event, or of the object that it is about: 1 to 255
	// characters without spaces.
	EventID string
	// Effect is the type of effect, such as "credit_grant": 1 to 64 characters without spaces. One
	// event may owe several effects.
	Effect string
}

// String returns the key as provider/event/effect, for logs and errors.
func (k Key) String() string { return k.Provider + "/" + k.EventID + "/" + k.Effect }

// validate returns a [*FieldError] for the first part that Postgres would refuse, so that an
// invalid key never aborts the caller's transaction.
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
