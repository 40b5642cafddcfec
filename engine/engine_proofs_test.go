package engine_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// A proof that waited for an outcome holds it, and is dated after it.
func TestAProofIsDatedWhenItsWaitEnds(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	incident := incidents(t, db, e, "evt", 1)[0]
	worker := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), worker, incident.Key); err != nil {
		t.Fatal(err)
	}
	var proof evidence.Proof
	issued := start(func() (err error) {
		proof, _, err = st.Evidence.Proofs.Issue(
			t.Context(),
			evidence.ProofRequest{Incident: incident.ID, By: "ada", Issuer: "https://ops.example.com"},
			func(evidence.ProofClaims) (string, error) { return "token", nil },
		)
		return err
	})
	waitBlocked(t, db, worker, 1)
	db.Travel(5 * time.Minute)
	now := read[time.Time](t, db.Pool, "SELECT sendpromptly.clock()")
	finish(t, worker, true)
	if err := receive(t, "the proof is issued", issued); err != nil {
		t.Fatal(err)
	}
	if proof.IssuedAt.Before(now.Truncate(time.Second)) {
		t.Errorf("issued at %s, after a wait until %s", proof.IssuedAt, now)
	}
	requireStory(t, db, incident.Key, "receipt→awaiting deadline→missing opened success→applied resolved proof")
}
