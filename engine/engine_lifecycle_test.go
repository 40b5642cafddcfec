package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/lifecycle"
)

// patient is one effect that is brought into a state and given one signal.
type patient struct {
	t      *testing.T
	db     *enginetest.Database
	e      *engine.Engine
	key    engine.Key
	effect engine.EffectID

	incident engine.IncidentID
	// old is an attempt that has ended, with a callback still on its way.
	old attempt
}

type attempt struct{ replay, token string }

func (p *patient) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) succeed() {
	p.t.Helper()
	p.must(pgx.BeginFunc(p.t.Context(), p.db.Pool, func(tx pgx.Tx) error { return p.e.Succeed(p.t.Context(), tx, p.key) }))
}

func (p *patient) fail(replay string) {
	p.t.Helper()
	p.must(p.e.Fail(p.t.Context(), p.key, errors.New("boom"), engine.WithReplay(replay)))
}

// reprocess starts an attempt and claims its callback, as an engine that is
// about to send it does.
func (p *patient) reprocess() attempt {
	p.t.Helper()
	asked, err := p.e.Reprocess(p.t.Context(), p.incident, "ada")
	p.must(err)
	a := attempt{replay: asked.ReplayID}
	const claim = `SELECT c.token::text FROM sendpromptly.claim_callbacks(32) AS c WHERE c.replay_id = $1`
	p.must(p.db.Pool.QueryRow(p.t.Context(), claim, a.replay).Scan(&a.token))
	return a
}

// gaveUp completes a claimed callback with a refusal of the endpoint.
func (p *patient) gaveUp(a attempt) {
	p.t.Helper()
	const complete = `SELECT sendpromptly.complete_callback(c.project_id, c.replay_id, $2, 'halted', 400, NULL, 5,
		'https://example.com', 'no', NULL)
		FROM sendpromptly.callbacks AS c WHERE c.replay_id = $1`
	_, err := p.db.Pool.Exec(p.t.Context(), complete, a.replay, a.token)
	p.must(err)
}

func (p *patient) stop() {
	p.t.Helper()
	_, err := p.e.Stop(p.t.Context(), p.incident, "ada")
	p.must(err)
}

// deadline lets whatever is due for the effect pass.
func (p *patient) deadline() {
	p.t.Helper()
	p.db.Travel(3 * time.Hour)
	_, err := enginetest.Sweep(p.t.Context(), p.e)
	p.must(err)
}

// bring leads the effect into a state. Every state but awaiting has an attempt
// behind it that has ended.
func (p *patient) bring(state, signal string) {
	p.t.Helper()
	p.effect = accept(p.t, p.db, p.e, engine.Acceptance{Key: p.key}).EffectID
	if state == lifecycle.Awaiting {
		return
	}
	p.fail("")
	incident, err := enginetest.IncidentOf(p.t.Context(), p.e, p.key)
	p.must(err)
	p.incident = incident.ID
	p.old = p.reprocess()
	switch state {
	case lifecycle.Applied:
		p.succeed()
	case lifecycle.Failed:
		p.stop()
	case lifecycle.Missing:
		p.deadline()
	case lifecycle.Reprocessing:
		p.stop()
		// The current attempt is started by the signal or by the check.
	case lifecycle.Closed:
		if signal == lifecycle.ReopenMissing {
			p.deadline()
		} else {
			p.stop()
		}
		p.must(p.e.CloseIncident(p.t.Context(), p.incident, "ada", "bought again"))
	}
}

// signal gives the effect the signal and returns how an operator's action was answered.
func (p *patient) signal(signal string, current attempt) error {
	p.t.Helper()
	switch signal {
	case lifecycle.Success:
		p.succeed()
	case lifecycle.Failure:
		p.fail(current.replay)
	case lifecycle.OldFailure:
		p.fail(p.old.replay)
	case lifecycle.Deadline:
		p.deadline()
	case lifecycle.GaveUp:
		p.gaveUp(current)
	case lifecycle.OldGaveUp:
		p.gaveUp(p.old)
	case lifecycle.Stop:
		_, err := p.e.Stop(p.t.Context(), p.incident, "ada")
		return err
	case lifecycle.Reprocess:
		_, err := p.e.Reprocess(p.t.Context(), p.incident, "ada")
		return err
	case lifecycle.Close:
		return p.e.CloseIncident(p.t.Context(), p.incident, "ada", "refunded")
	case lifecycle.Reopen, lifecycle.ReopenMissing:
		_, err := p.e.Reopen(p.t.Context(), p.incident, "ada", "not refunded after all")
		return err
	}
	return nil
}

// TestEveryCellOfTheLifecycle drives each combination of a state and a signal
// through the engine and compares state, incident, entries and refusal with the
// table. A combination that the table does not list must move nothing.
func TestEveryCellOfTheLifecycle(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	repairAt(t, db, server)
	for _, state := range lifecycle.States {
		for i, signal := range lifecycle.Signals {
			t.Run(state+"/"+signal, func(t *testing.T) {
				p := &patient{t: t, db: db.For(t), e: e, key: key(fmt.Sprintf("evt_%s_%d", state, i))}
				p.drive(state, signal)
			})
		}
	}
	db.RequireSound()
}

func (p *patient) drive(state, signal string) {
	t := p.t
	cell, listed := lifecycle.Find(state, signal)
	if !listed {
		cell = lifecycle.Cell{State: state, Signal: signal, Next: state}
		if state == lifecycle.Awaiting && signal != lifecycle.Deadline {
			return // needs an attempt or an incident, which an awaiting effect never had
		}
		if signal == lifecycle.GaveUp {
			return // without a current attempt nothing can give up
		}
		if signal == lifecycle.ReopenMissing {
			return // only the cause of what is closed makes it another signal
		}
	}
	p.bring(state, signal)
	var current attempt
	if state == lifecycle.Reprocessing {
		current = p.reprocess()
	}
	p.db.RequireState(p.key, engine.State(state))
	before := p.entries()
	answer := p.signal(signal, current)

	p.db.RequireState(p.key, engine.State(cell.Next))
	added := p.entries()[len(before):]
	p.checkAnswer(cell, answer)
	switch {
	case cell.Refusal != "" || !listed:
		if len(added) != 0 {
			t.Errorf("a refused signal left entries: %v", added)
		}
	case cell.Moves():
		if want := lifecycle.EntryKind(signal) + "→" + cell.Next; !slices.Contains(added, want) {
			t.Errorf("entries %v lack %q", added, want)
		}
	case len(added) != 1 || added[0] != lifecycle.EntryKind(signal):
		t.Errorf("entries %v, want %q only", added, lifecycle.EntryKind(signal))
	}
	p.checkIncident(cell, added)
	if cell.Next == lifecycle.Reprocessing {
		p.stop() // a project has four callbacks in flight at most: the others need theirs
	}
}

func (p *patient) entries() []string {
	kinds, err := p.db.Kinds(p.key)
	p.must(err)
	return kinds
}

func (p *patient) checkAnswer(cell lifecycle.Cell, answer error) {
	p.t.Helper()
	var refused *engine.RefusedError
	switch cell.Refusal {
	case "":
		if answer != nil {
			p.t.Errorf("refused: %v", answer)
		}
	case "not_found":
		var field *engine.FieldError
		if !errors.As(answer, &field) && !errors.Is(answer, engine.ErrNotFound) {
			p.t.Errorf("answer %v, want not found", answer)
		}
	default:
		if !errors.As(answer, &refused) || string(refused.State) != cell.State || refused.Reason == "" {
			p.t.Errorf("answer %v, want a refusal in state %s", answer, cell.State)
		}
	}
}

func (p *patient) checkIncident(cell lifecycle.Cell, added []string) {
	p.t.Helper()
	kinds := map[lifecycle.Incident]string{
		lifecycle.Opens:    "opened",
		lifecycle.Resolves: "resolved",
		lifecycle.Closes:   "closed→closed",
		lifecycle.Reopens:  "reopened",
	}
	for does, kind := range kinds {
		did := slices.ContainsFunc(added, func(entry string) bool {
			return entry == kind || kind == "reopened" && strings.HasPrefix(entry, "reopened→")
		})
		if did != (does == cell.Incident) {
			p.t.Errorf("entries %v: %q does not fit incident %q", added, kind, cell.Incident)
		}
	}
	incident, err := enginetest.IncidentOf(context.WithoutCancel(p.t.Context()), p.e, p.key)
	if errors.Is(err, engine.ErrNotFound) {
		if engine.State(cell.Next).Open() {
			p.t.Error("no incident")
		}
		return
	}
	p.must(err)
	if incident.State.Open() != engine.State(cell.Next).Open() {
		p.t.Errorf("incident is %s", incident.State)
	}
	if resolved := !incident.ResolvedAt.IsZero(); resolved != (cell.Next == lifecycle.Applied && cell.State != lifecycle.Closed) {
		p.t.Errorf("resolved %v in state %s, coming from %s", resolved, incident.State, cell.State)
	}
	if cell.Moves() && (cell.Next == lifecycle.Failed || cell.Next == lifecycle.Missing) && string(incident.Cause) != cell.Next {
		p.t.Errorf("cause is %s", incident.Cause)
	}
}
