package engine_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// held claims the callback of one incident and keeps its sender from reading what to send until the lock ends.
func (r *receiver) held(event string) (incident engine.Incident, lock pgx.Tx, sent <-chan int) {
	r.t.Helper()
	incident, _ = r.ask(event)
	lock = open(r.t, r.db.Pool, pgx.TxOptions{})
	run(r.t, lock, "LOCK TABLE sendpromptly.callback_secrets IN ACCESS EXCLUSIVE MODE")
	sent = start(func() int {
		n, err := enginetest.Deliver(r.t.Context(), r.e)
		if err != nil {
			r.t.Error(err)
		}
		return n
	})
	waitBlocked(r.t, r.db, lock, 1)
	return incident, lock, sent
}

// An attempt that an operator stopped between the claim and the sending is not sent any more.
func TestNothingIsSentForAnAttemptThatEndedSinceTheClaim(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	incident, lock, sent := r.held("evt_1")
	if _, err := r.e.Stop(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	finish(t, lock, true)
	if n := receive(t, "Deliver ends", sent); n != 0 || r.count() != 0 {
		t.Errorf("Deliver = %d, and %d requests came for a stopped attempt", n, r.count())
	}
	requireStory(t, r.db, incident.Key, askedFor+" stopped→failed")
	r.db.RequireSound()
}

// A sender that slept until its lease was nearly over leaves the callback to the next one: it is never sent twice at once.
func TestASenderThatSleptLeavesItsClaimToTheNext(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(202))
	incident, lock, sent := r.held("evt_1")
	r.db.Travel(45 * time.Second)
	finish(t, lock, true)
	if n := receive(t, "Deliver ends", sent); n != 0 || r.count() != 0 {
		t.Errorf("Deliver = %d, and %d requests came at the end of the lease", n, r.count())
	}
	r.db.Travel(16 * time.Second)
	r.deliver(1)
	requireStory(t, r.db, incident.Key, askedFor+" callback accepted")
	if entry := r.lastCallback(incident); entry.Note != "try 2" {
		t.Errorf("it went out as %s", entry.Note)
	}
	r.db.RequireSound()
}
