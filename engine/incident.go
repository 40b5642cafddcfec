package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// IncidentID is the id of one incident: a UUID in text form.
type IncidentID string

// State is the state of an effect, and of its incident if it has one.
type State string

// The states. An incident is open exactly while its effect is failed, missing
// or reprocessing.
const (
	StateAwaiting     State = "awaiting"
	StateApplied      State = "applied"
	StateFailed       State = "failed"
	StateMissing      State = "missing"
	StateReprocessing State = "reprocessing"
	StateClosed       State = "closed"
)

// Cause is why an incident is open, or last was.
type Cause string

// The causes.
const (
	// CauseFailed says that the app reported a failure.
	CauseFailed Cause = "failed"
	// CauseMissing says that a deadline passed without an outcome.
	CauseMissing Cause = "missing"
	// CauseUnreceived says that the provider has an event which the app never
	// accepted. No step opens such an incident yet.
	CauseUnreceived Cause = "unreceived"
)

// Open says whether an incident in this state is open.
func (s State) Open() bool { return s == StateFailed || s == StateMissing || s == StateReprocessing }

// Incident is an effect that was missing or failed, and may still be. An effect has at most one
// incident, ever: later failures reopen it.
type Incident struct {
	ID       IncidentID
	EffectID EffectID
	// Acceptance is what the app recorded when it accepted the job, without Payload and Mode.
	// Timeout is the one that was used.
	Acceptance
	AcceptedAt time.Time
	// Deadline is the first one, which never moves.
	Deadline time.Time

	State    State
	Cause    Cause
	OpenedAt time.Time
	// DueAt is when the current attempt ends as failed; zero unless reprocessing.
	DueAt time.Time
	// ResolvedAt is when a success resolved the incident; zero while it is open, and if an operator
	// had closed it before.
	ResolvedAt time.Time
	// ClosedAt, ClosedBy and Note are set when an operator closes the incident. The note stays
	// after a reopening.
	ClosedAt time.Time
	ClosedBy Operator
	Note     string
	// Attempt is the number of reprocess requests; ReplayID belongs to the last one.
	Attempt  int
	ReplayID string
	// ErrorCode and ErrorMessage describe the last failure.
	ErrorCode    string
	ErrorMessage string
	// Revision grows with every change of state; see [IfRevision].
	Revision int
}

// Incident returns one incident of the engine's project, or [ErrNotFound].
func (e *Engine) Incident(ctx context.Context, id IncidentID) (Incident, error) {
	if err := validID("id", string(id)); err != nil {
		return Incident{}, err
	}
	row, err := e.queries.IncidentGet(ctx, e.pool, dbsqlc.IncidentGetParams{Project: e.cfg.Project, IncidentID: string(id)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Incident{}, fmt.Errorf("%w: incident %s", ErrNotFound, id)
	}
	if err != nil {
		return Incident{}, named.Error("reading an incident", err)
	}
	return newIncident(row.Incident, row.Effect), nil
}

func newIncident(i dbsqlc.Incident, f dbsqlc.Effect) Incident {
	return Incident{
		ID:         IncidentID(i.IncidentID),
		EffectID:   EffectID(i.EffectID),
		Acceptance: newAcceptance(f),
		AcceptedAt: f.AcceptedAt,
		Deadline:   f.Deadline,
		State:      State(i.State),
		Cause:      Cause(i.Cause),
		OpenedAt:   i.OpenedAt,
		DueAt:      pg.Value(i.DueAt),
		ResolvedAt: pg.Value(
			i.ResolvedAt,
		),
		ClosedAt:     pg.Value(i.ClosedAt),
		ClosedBy:     Operator(pg.Value(i.ClosedBy)),
		Note:         pg.Value(i.Note),
		Attempt:      i.Attempt,
		ReplayID:     pg.Value(i.ReplayID),
		ErrorCode:    pg.Value(i.ErrorCode),
		ErrorMessage: pg.Value(i.ErrorMessage),
		Revision:     i.Revision,
	}
}

// newMoney ignores a currency without an amount, which SQL callers can record.
func newMoney(amount *int64, currency *string) Money {
	if amount == nil {
		return Money{}
	}
	return Money{Minor: *amount, Currency: pg.Value(currency)}
}

func newAcceptance(f dbsqlc.Effect) Acceptance {
	return Acceptance{
		Key:         Key{Provider: f.Provider, EventID: f.EventID, Effect: f.Effect},
		EventType:   pg.Value(f.EventType),
		Subject:     pg.Value(f.Subject),
		Merchant:    pg.Value(f.Merchant),
		SourceEvent: pg.Value(f.SourceEvent),
		OccurredAt:  pg.Value(f.OccurredAt),
		Timeout:     f.Deadline.Sub(f.AcceptedAt),
		Amount:      newMoney(f.Amount, f.Currency),
		Customer:    pg.Value(f.Customer),
		Version:     pg.Value(f.Version),
		Objects:     f.Objects,
	}
}
