package incidents_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// shop is a database with effects in it.
type shop struct {
	*enginetest.Database
	t  *testing.T
	e  *engine.Engine
	st *rooms.Rooms
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{db, t, db.Engine(engine.Config{}), st}
	s.exec(`UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	return s
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.Pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func need[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const lastUUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

func first3[A, B any](a A, _ B, err error) (A, error) { return a, err }

// credits is the effect that an event of the samples owes.
func credits(event string) engine.Key {
	return engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
}

func (s *shop) accept(a engine.Acceptance) engine.EffectID {
	s.t.Helper()
	var r engine.Receipt
	err := pgx.BeginFunc(s.t.Context(), s.Pool, func(tx pgx.Tx) (err error) {
		r, err = s.e.Accept(s.t.Context(), tx, a)
		return err
	})
	return need(s.t, r, err).EffectID
}

func (s *shop) succeed(k engine.Key) {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.Pool, func(tx pgx.Tx) error { return s.e.Succeed(s.t.Context(), tx, k) })
	need(s.t, 0, err)
}

// failed makes an open incident of an effect.
func (s *shop) failed(k engine.Key, message string) engine.Incident {
	s.t.Helper()
	need(s.t, 0, s.e.Fail(s.t.Context(), k, errors.New(message), engine.WithCode("E_LEDGER")))
	return needs(enginetest.IncidentOf(s.t.Context(), s.e, k))(s.t)
}

func needs[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T { t.Helper(); return need(t, v, err) }
}

// fold runs the index step until every transaction that could still matter has ended.
func (s *shop) fold(done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		needs(enginetest.Index(s.t.Context(), s.e))(s.t)
		if done() {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("the statistics and terms do not come")
		}
	}
}

func (s *shop) count(sql string) (n int) {
	s.t.Helper()
	need(s.t, 0, s.Pool.QueryRow(s.t.Context(), sql).Scan(&n))
	return n
}
