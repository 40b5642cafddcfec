package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// The commonest names are stored as one character. Every name comes back as it
// was given, those that look like a short one included, and no two names share
// a key.
func TestShortNamesComeBackWhole(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	known := column(
		t,
		db.Pool,
		`SELECT n FROM unnest(ARRAY['stripe', 'shopify', 'access_unlock', 'credit_grant', 'seat_update', 'subscription_state_apply',
		'access_revocation', 'credit_deduction', 'checkout.session.completed', 'invoice.paid', 'customer.subscription.deleted',
			'customer.subscription.updated',
		'charge.refunded', 'charge.dispute.created', 'orders/paid', 'orders/fulfilled', 'customers/create', 'checkouts/create']) AS n
		WHERE length(sendpromptly.short(n)) = 1`,
	)
	if len(known) != 18 {
		t.Errorf("only %d names are short: %v", len(known), known)
	}
	other := []string{"paddle", "s", "h", "g", "=", "=s", "==s", "Z", "é", "s ", "stripe ", "STRIPE", "credit_grant_2"}
	wrong := column(
		t,
		db.Pool,
		`SELECT n FROM unnest($1::text[]) AS n WHERE sendpromptly.full_name(sendpromptly.short(n)) IS DISTINCT FROM n`,
		slices.Concat(known, other),
	)
	if len(wrong) > 0 {
		t.Errorf("came back changed: %q", wrong)
	}
	if shared := column(
		t,
		db.Pool,
		`SELECT sendpromptly.short(n) FROM unnest($1::text[]) AS n GROUP BY 1 HAVING count(*) > 1`,
		slices.Concat(known, other),
	); len(
		shared,
	) > 0 {
		t.Errorf("two names are stored as %q", shared)
	}
	e := db.Engine(engine.Config{})
	for _, a := range []engine.Acceptance{
		{Key: engine.Key{Provider: "s", EventID: "evt_1", Effect: "g"}, EventType: "i"},
		{
			Key:       engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "=g"},
			EventType: "=",
			Amount:    engine.Money{Currency: "EUR"},
			Objects:   []string{"in_1"},
		},
		{Key: engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "g"}, EventType: "invoice.paid", Amount: engine.Money{Minor: 5}},
	} {
		t.Run(a.Key.String(), func(t *testing.T) {
			if accept(t, db, e, a).Duplicate {
				t.Errorf("%s met another key", a.Key)
			}
			if err := e.Fail(t.Context(), a.Key, nil); err != nil {
				t.Fatal(err)
			}
			incident, err := enginetest.IncidentOf(t.Context(), e, a.Key)
			if err != nil {
				t.Fatal(err)
			}
			incident.Timeout = 0
			if diff := cmp.Diff(a, incident.Acceptance); diff != "" {
				t.Errorf("came back changed (-want +got):\n%s", diff)
			}
		})
	}
}

// Apply takes the receipt's row first and the owed row last; a Succeed of
// somebody else's transaction takes them in the same order, so that the two
// wait for each other at most one way.
func TestApplyAndSucceedDoNotDeadlock(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for round := range 60 {
		k := key(fmt.Sprintf("evt_%d", round))
		accept(t, db, e, engine.Acceptance{Key: k})
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				var err error
				if worker%2 == 0 {
					err = e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error { return nil })
				} else {
					err = pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, k) })
				}
				if err != nil {
					t.Errorf("worker %d: %v", worker, err)
				}
			})
		}
		group.Wait()
		db.RequireApplied(k)
	}
	db.RequireSound()
}

// walBytes runs one statement and returns what its backend wrote.
func walBytes(t *testing.T, tx pgx.Tx, sql string, args ...any) int {
	t.Helper()
	var report []byte
	if err := tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, WAL, FORMAT JSON) "+sql, args...).Scan(&report); err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Bytes int `json:"WAL Bytes"`
		} `json:"Plan"`
	}
	if err := json.Unmarshal(report, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v", report, err)
	}
	return plans[0].Plan.Bytes
}

// recordedAccept and recordedSucceed are the WAL bytes of the two signals with
// every column of the receipt set but objects, in the median: without page
// splits and full-page images (docs/performance.md).
const recordedAccept, recordedSucceed = 584, 190

// What a flow writes is exact, so a change that makes it dearer shows here. It
// has a server of its own: an old transaction anywhere on the server keeps dead
// versions in their pages, and then a success costs a version in another page.
func TestAFlowWritesAsMuchAsRecorded(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	url, err := server.CreateDatabase(t.Context(), localpg.RandomName(localpg.TestPrefix), "")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := engine.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	var accepts, succeeds []int
	for n := range 300 {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			event := fmt.Sprintf("evt_1NvQzQ2eZvKYlo2C%04d", n)
			accepts = append(
				accepts,
				walBytes(t, tx, `SELECT sendpromptly.accept('stripe', $1, 'credit_grant', 'invoice.paid', 'acct_1042', clock_timestamp(),
				amount => 1999, currency => 'usd', customer => 'cus_Nv0Q2eZvKYlo12', version => 'v1.42.0')`, event),
			)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 300 {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			event := fmt.Sprintf("evt_1NvQzQ2eZvKYlo2C%04d", n)
			succeeds = append(succeeds, walBytes(t, tx, `SELECT sendpromptly.succeed('stripe', $1, 'credit_grant')`, event))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(accepts)
	slices.Sort(succeeds)
	for name, flow := range map[string][2]int{
		"accept":  {accepts[150], recordedAccept},
		"succeed": {succeeds[150], recordedSucceed},
	} {
		if got, want := flow[0], flow[1]; got < want*9/10 || got > want*11/10 {
			t.Errorf("%s writes %d bytes of WAL, recorded are %d", name, got, want)
		}
	}
}
