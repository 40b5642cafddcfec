package ingest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// readResult reads a result's body. The error names every wrong field.
func readResult(members object) (incidents.Outcome, error) {
	f := newForm(members)
	o := incidents.Outcome{
		EffectID: engine.EffectID(
			f.effectID(),
		),
		Provider: f.provider(),
		Effect:   f.name("effect_type", 64),
		ReplayID: f.name("replay_id", 64),
		// An error report matters more than its form: a long text is cut, never refused.
		ErrorCode:    input.Cut(f.text("error_code"), input.TypeLimit),
		ErrorMessage: input.Cut(f.text("error_message"), input.NoteLimit),
	}
	id, older := f.name("provider_event_id", 255), f.name("stripe_event_id", 255)
	if older != "" {
		switch {
		case id != "" && id != older:
			f.reject("stripe_event_id", "differs from provider_event_id")
		case o.Provider != "" && o.Provider != stripe:
			f.reject("stripe_event_id", "is only for the provider stripe: use provider_event_id")
		}
		id, o.Provider = older, stripe
	}
	o.EventID = id
	if o.EventID == "" && o.EffectID == "" {
		f.reject("provider_event_id", "is required, or event_id")
	}
	status := f.text("status")
	f.required("status", status)
	f.oneOf("status", status, []string{"success", "failed"})
	o.Failed = status == "failed"
	return o, f.problem()
}

// effectID reads the event_id from the answer to the receipt: a UUID, in upper or lower case.
func (f *form) effectID() string {
	text := f.text("event_id")
	id := input.CanonicalUUID(text)
	if text != "" && id == "" {
		f.reject("event_id", "must be the event_id from the answer to the receipt, a UUID")
	}
	return id
}

// resultAnswer is the answer to a result.
type resultAnswer struct {
	Accepted bool   `json:"accepted"`
	EventID  string `json:"event_id"`
	Status   string `json:"status"`
}

// result records an outcome.
func (a *api) result(ctx context.Context, tx pgx.Tx, _ *engine.Engine, caller access.KeyOwner, members object) (done, error) {
	outcome, err := readResult(members)
	if err != nil {
		return done{}, err
	}
	recorded, err := a.cfg.Incidents.Outcomes.Record(ctx, tx, caller.Project, outcome)
	var ambiguous *incidents.AmbiguousError
	switch {
	case errors.As(err, &ambiguous):
		several := &problem{
			code:    "validation_error",
			message: "The event has several effects: name the effect that this result is about.",
			details: map[string][]string{},
		}
		for _, field := range ambiguous.Missing {
			several.details[field] = []string{"is required: the event has several effects"}
		}
		return done{}, several
	case errors.Is(err, engine.ErrNotFound):
		return done{}, fail("not_found", "This project has no receipt for that event and effect.")
	case err != nil:
		return done{}, renamed(err)
	}
	status := "success"
	if outcome.Failed {
		status = "failed"
	}
	body, err := json.Marshal(resultAnswer{Accepted: true, EventID: string(recorded.EffectID), Status: status})
	return done{body, recorded.Opened}, err
}
