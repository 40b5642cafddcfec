package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// countingConn counts round trips: a write that follows a read begins one.
type countingConn struct {
	net.Conn
	trips *atomic.Int64
	wrote bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	if !c.wrote {
		c.trips.Add(1)
	}
	c.wrote = true
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wrote = false
	return n, err
}

// What a call costs in round trips is part of its promise: two a flow for the
// two signals, none where they ride in the app's own batches.
func TestRoundTripsAreAsPromised(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	var trips atomic.Int64
	cfg, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 1
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countingConn{Conn: conn, trips: &trips}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	e, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, n := t.Context(), 0
	next := func() engine.Key { n++; return key(fmt.Sprintf("evt_%d", n)) }
	inTx := func(work func(tx pgx.Tx) error) { // two of its own: begin and commit
		t.Helper()
		if err := pgx.BeginFunc(ctx, pool, work); err != nil {
			t.Fatal(err)
		}
	}
	accepted := func() engine.Key {
		k := next()
		inTx(func(tx pgx.Tx) error { _, err := e.Accept(ctx, tx, engine.Acceptance{Key: k}); return err })
		return k
	}
	batched := func(tx pgx.Tx, ours bool) error {
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1")
		if ours {
			k := next()
			if err := errors.Join(e.QueueAccept(batch, engine.Acceptance{Key: k}, nil), e.QueueSucceed(batch, k)); err != nil {
				return err
			}
		}
		return tx.SendBatch(ctx, batch).Close()
	}
	for _, call := range []struct {
		name string
		want int64
		run  func() func()
	}{
		{"Accept", 1 + 2, func() func() { return func() { accepted() } }},
		{"Succeed", 1 + 2, func() func() {
			k := accepted()
			return func() { inTx(func(tx pgx.Tx) error { return e.Succeed(ctx, tx, k) }) }
		}},
		{"AcceptMany of 100", 1 + 2, func() func() {
			list := make([]engine.Acceptance, 100)
			for i := range list {
				list[i].Key = next()
			}
			return func() { inTx(func(tx pgx.Tx) error { _, err := e.AcceptMany(ctx, tx, list); return err }) }
		}},
		{"a batch of the app alone", 1 + 2, func() func() {
			return func() { inTx(func(tx pgx.Tx) error { return batched(tx, false) }) }
		}},
		{"the same with both signals in it", 1 + 2, func() func() {
			return func() { inTx(func(tx pgx.Tx) error { return batched(tx, true) }) }
		}},
		{"Apply, without the effect's own", 1 + 2, func() func() {
			k := accepted()
			return func() {
				if err := e.Apply(ctx, k, func(context.Context, pgx.Tx) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Fail", 1 + 2, func() func() {
			k := accepted()
			return func() {
				if err := e.Fail(ctx, k, errors.New("boom")); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Find", 1, func() func() {
			k := accepted()
			return func() {
				if _, err := e.Find(ctx, k); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Sweep with nothing due", 1, func() func() {
			return func() {
				if _, err := enginetest.Sweep(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		call.run()() // prepares the statements, once a connection
		run := call.run()
		before := trips.Load()
		run()
		if got := trips.Load() - before; got != call.want {
			t.Errorf("%s takes %d round trips, want %d", call.name, got, call.want)
		}
	}
}
