package engine_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Of operators who saw the same revision one acts; the others are told what the
// incident is now, and nothing of theirs happened.
func TestOfTwoOperatorsWithOneRevisionOneActs(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	e := db.Engine(engine.Config{})
	incident := missing(t, db, e, key("evt_1"))[0]
	actions := []func(by engine.Operator) error{
		func(by engine.Operator) error {
			_, err := e.Reprocess(t.Context(), incident.ID, by, engine.IfRevision(incident.Revision))
			return err
		},
		func(by engine.Operator) error {
			return e.CloseIncident(t.Context(), incident.ID, by, "refunded", engine.IfRevision(incident.Revision))
		},
	}
	var group sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		group.Go(func() { failures[i] = actions[i%2]("ada") })
	}
	group.Wait()
	now, err := e.Incident(t.Context(), incident.ID)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, err := range failures {
		var refused *engine.RefusedError
		switch {
		case err == nil:
			done++
		case !errors.As(err, &refused) || !refused.Changed || refused.Revision != now.Revision || refused.State != now.State:
			t.Errorf("refused with %+v, the incident is %+v", err, now)
		}
	}
	if done != 1 || now.Revision != incident.Revision+1 {
		t.Errorf("%d acted, the revision went from %d to %d", done, incident.Revision, now.Revision)
	}
	db.RequireSound()
}

// A stale revision keeps every action from doing anything, stop and note included.
func TestAStaleRevisionDoesNothing(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	e := db.Engine(engine.Config{})
	incident := missing(t, db, e, key("evt_1"))[0]
	attempt, err := e.Reprocess(t.Context(), incident.ID, "ada")
	if err != nil {
		t.Fatal(err)
	}
	before, err := db.Kinds(key("evt_1"))
	if err != nil {
		t.Fatal(err)
	}
	stale := engine.IfRevision(incident.Revision)
	_, stopErr := e.Stop(t.Context(), incident.ID, "bob", stale)
	_, reopenErr := e.Reopen(t.Context(), incident.ID, "bob", "hm", stale)
	for name, err := range map[string]error{
		"stop": stopErr, "reopen": reopenErr, "note": e.Note(t.Context(), incident.ID, "bob", "hm", stale),
		"try_now": e.TryNow(t.Context(), incident.ID, "bob", stale),
		"close":   e.CloseIncident(t.Context(), incident.ID, "bob", "hm", stale),
	} {
		var refused *engine.RefusedError
		if !errors.As(err, &refused) || !refused.Changed || refused.Action != name || refused.Revision != attempt.Revision {
			t.Errorf("%s: %+v", name, err)
		}
	}
	after, err := db.Kinds(key("evt_1"))
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the timeline went from %v to %v: %v", before, after, err)
	}
}

// A note is an entry and a change, in every state, and moves nothing. Trying now
// needs a callback that waits.
func TestNotesAndHurryingLeaveTheStateAlone(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	e := db.Engine(engine.Config{})
	incident := missing(t, db, e, key("evt_1"))[0]
	var refused *engine.RefusedError
	if err := e.TryNow(t.Context(), incident.ID, "ada"); !errors.As(err, &refused) || refused.Changed {
		t.Errorf("trying now without an attempt: %v", err)
	}
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	run(t, db.Pool, `UPDATE sendpromptly.callbacks SET next_at = next_at + interval '1 hour'`)
	if err := e.TryNow(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if !read[bool](t, db.Pool, `SELECT next_at <= sendpromptly.clock() FROM sendpromptly.callbacks`) {
		t.Error("the callback still waits")
	}
	for _, state := range []engine.State{engine.StateReprocessing, engine.StateFailed, engine.StateClosed} {
		if err := e.Note(t.Context(), incident.ID, "ada", "the customer called"); err != nil {
			t.Fatal(err)
		}
		if now, err := e.Incident(t.Context(), incident.ID); err != nil || now.State != state {
			t.Fatalf("state %s, want %s: %v", now.State, state, err)
		}
		switch state {
		case engine.StateReprocessing:
			_, err := e.Stop(t.Context(), incident.ID, "ada")
			if err != nil {
				t.Fatal(err)
			}
		case engine.StateFailed:
			if err := e.CloseIncident(t.Context(), incident.ID, "ada", "refunded"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := read[int](t, db.Pool, `SELECT count(*)::int FROM sendpromptly.changes WHERE what = 'noted'`); n != 3 {
		t.Errorf("%d notes in the feed", n)
	}
	var field *engine.FieldError
	if err := e.Note(t.Context(), incident.ID, "ada", ""); !errors.As(err, &field) {
		t.Errorf("an empty note: %v", err)
	}
	db.RequireSound()
}
