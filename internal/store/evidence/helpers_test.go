package evidence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// world is a database with an engine and a store on it.
type world struct {
	t      *testing.T
	db     *enginetest.Database
	engine *engine.Engine
	store  *rooms.Rooms
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, db: db, engine: db.Engine(engine.Config{}), store: st}
}

// incident makes an effect that was accepted and failed.
func (w *world) incident(event string, set ...func(*engine.Acceptance)) engine.Incident {
	w.t.Helper()
	a := engine.Acceptance{
		Key:        engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"},
		EventType:  "invoice.paid",
		Subject:    "acct_1",
		Customer:   "cus_1",
		Objects:    []string{"in_1"},
		Amount:     engine.Money{Minor: 1999, Currency: "EUR"},
		OccurredAt: time.Now().Add(-time.Minute),
	}
	for _, s := range set {
		s(&a)
	}
	err := pgx.BeginFunc(w.t.Context(), w.db.Pool, func(tx pgx.Tx) error {
		_, err := w.engine.Accept(w.t.Context(), tx, a)
		return err
	})
	if err == nil {
		err = w.engine.Fail(w.t.Context(), a.Key, errors.New("no such table for "+a.Customer), engine.WithCode("db"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	i, err := enginetest.IncidentOf(w.t.Context(), w.engine, a.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// issue issues a proof with a token that names its jti.
func (w *world) issue(i engine.IncidentID) evidence.Proof {
	w.t.Helper()
	p, token, err := w.store.Evidence.Proofs.Issue(
		w.t.Context(),
		evidence.ProofRequest{Incident: i, By: "ada@example.com", Issuer: "https://ops.example.com"},
		func(c evidence.ProofClaims) (string, error) { return "token of " + c.JTI, nil },
	)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "token of "+p.JTI {
		w.t.Errorf("token %q", token)
	}
	return p
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.Pool.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// blocked returns once a session waits for what the transaction holds.
func (w *world) blocked(tx pgx.Tx) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); w.count(`SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND $1::int = ANY (pg_blocking_pids(pid))`, int(tx.Conn().PgConn().PID())) == 0; {
		if time.Now().After(end) {
			w.t.Fatal("nobody waits")
		}
	}
}

// begin opens a transaction of somebody else.
func (w *world) begin() pgx.Tx {
	w.t.Helper()
	tx, err := w.db.Pool.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(w.t.Context())) })
	return tx
}
