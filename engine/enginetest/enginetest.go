// Package enginetest is for the tests of apps that embed the engine: a real
// database for each test, with the schema in it; time travel; and assertions
// on what became of an effect.
//
//	db := enginetest.New(t)
//	effects := db.Engine(engine.Config{})
//	… the app accepts a webhook, and no worker runs …
//	db.Travel(31 * time.Minute)
//	incident := db.RequireIncident(key, engine.CauseMissing)
//
// The server is the one that DATABASE_URL names; without it, a local
// installation of Postgres is started in a temporary folder, and without that a
// container. The database that DATABASE_URL names is never written to.
package enginetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
	"github.com/sendpromptly/sendpromptly/internal/testclock"
)

// Database is a test's own migrated database. It is dropped when the test ends.
type Database struct {
	// Pool is connected to it. The app under test may open more by URL.
	Pool *pgxpool.Pool
	// URL is its connection string.
	URL string

	t testing.TB
	// offset is how far the clock was moved, shared by the copies that For makes.
	offset *atomic.Int64
	// sweeper judges what the tables say; it is made when first needed, so that
	// a test may migrate or break the schema before.
	sweeper func() *engine.Engine
}

// New makes a database for the test. It takes about a tenth of a second and may
// be called from any number of parallel tests.
func New(t testing.TB) *Database {
	t.Helper()
	db := newDatabase(t, templates.take(t))
	return db
}

// NewEmpty makes a database without the schema, for tests of migrations.
func NewEmpty(t testing.TB) *Database {
	t.Helper()
	return newDatabase(t, "")
}

func newDatabase(t testing.TB, template string) *Database {
	t.Helper()
	ctx := t.Context()
	server := openServer(t)
	name := localpg.RandomName(localpg.TestPrefix)
	url, err := server.CreateDatabase(ctx, name, template)
	if err != nil {
		t.Fatalf("enginetest: creating a database: %v", err)
	}
	t.Cleanup(func() {
		if err := server.DropDatabase(context.WithoutCancel(ctx), name); err != nil {
			t.Errorf("enginetest: dropping a database: %v", err)
		}
	})
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatalf("enginetest: %v", err)
	}
	t.Cleanup(pool.Close)
	db := &Database{Pool: pool, URL: url, t: t, offset: new(atomic.Int64)}
	db.sweeper = sync.OnceValue(func() *engine.Engine { return db.Engine(engine.Config{}) })
	testclock.Allow(name)
	return db
}

// For is the same database for a subtest: what is required ends the subtest.
func (db *Database) For(t testing.TB) *Database {
	sub := *db
	sub.t = t
	return &sub
}

// Engine makes an engine on the database, or ends the test.
func (db *Database) Engine(cfg engine.Config) *engine.Engine {
	db.t.Helper()
	e, err := engine.New(db.t.Context(), db.Pool, cfg)
	if err != nil {
		db.t.Fatalf("enginetest: %v", err)
	}
	return e
}

// Travel moves the database's clock forward, for every engine on it. Nothing
// runs by itself: call Sweep, or let Run do it.
func (db *Database) Travel(d time.Duration) {
	db.t.Helper()
	offset := db.offset.Add(d.Microseconds())
	const statement = `CREATE OR REPLACE FUNCTION sendpromptly.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
		AS 'SELECT pg_catalog.clock_timestamp() + interval ''%d microseconds'''`
	if _, err := db.Pool.Exec(db.t.Context(), fmt.Sprintf(statement, offset)); err != nil {
		db.t.Fatalf("enginetest: travelling: %v", err)
	}
}

// RequireApplied ends the test unless the effect is applied.
func (db *Database) RequireApplied(k engine.Key) {
	db.t.Helper()
	db.RequireState(k, engine.StateApplied)
}

// RequireState ends the test unless the effect is in the state.
func (db *Database) RequireState(k engine.Key, want engine.State) {
	db.t.Helper()
	effect, err := db.sweeper().Find(db.t.Context(), k)
	if err != nil {
		db.t.Fatalf("enginetest: state of %s: %v", k, err)
	}
	if effect.State != want {
		db.t.Fatalf("enginetest: %s is %s, want %s\n%s", k, effect.State, want, db.Story(k))
	}
}

// RequireIncident sweeps, and ends the test unless the effect has an open
// incident with the cause, engine.CauseFailed or engine.CauseMissing. It
// returns the incident.
func (db *Database) RequireIncident(k engine.Key, cause engine.Cause) engine.Incident {
	db.t.Helper()
	if _, err := Sweep(db.t.Context(), db.sweeper()); err != nil {
		db.t.Fatalf("enginetest: sweeping: %v", err)
	}
	incident, err := IncidentOf(db.t.Context(), db.sweeper(), k)
	if err != nil {
		db.t.Fatalf("enginetest: %s: %v\n%s", k, err, db.Story(k))
	}
	if !incident.State.Open() || incident.Cause != cause {
		db.t.Fatalf("enginetest: the incident of %s is %s with cause %s, want it open with cause %s\n%s",
			k, incident.State, incident.Cause, cause, db.Story(k))
	}
	return incident
}

// RequireNoIncident sweeps, and ends the test if the effect has an incident.
func (db *Database) RequireNoIncident(k engine.Key) {
	db.t.Helper()
	if _, err := Sweep(db.t.Context(), db.sweeper()); err != nil {
		db.t.Fatalf("enginetest: sweeping: %v", err)
	}
	if incident, err := IncidentOf(db.t.Context(), db.sweeper(), k); err == nil {
		db.t.Fatalf("enginetest: %s has an incident with cause %s\n%s", k, incident.Cause, db.Story(k))
	}
}

// RequireSound ends the test unless every invariant that spadmin verify checks
// holds, with nothing overdue.
func (db *Database) RequireSound() {
	db.t.Helper()
	base, err := store.Open(db.Pool, "")
	if err != nil {
		db.t.Fatalf("enginetest: %v", err)
	}
	report, err := checks.New(base).Verify(db.t.Context(), 0)
	if err != nil {
		db.t.Fatalf("enginetest: verify: %v", err)
	}
	for _, check := range report.Checks {
		if !check.OK {
			db.t.Errorf("enginetest: %s does not hold: %s:\n\t%s", check.ID, check.Title, strings.Join(check.Rows, "\n\t"))
		}
	}
	if !report.OK {
		db.t.FailNow()
	}
}

// Story tells an effect's timeline, a line an entry, for messages.
func (db *Database) Story(k engine.Key) string {
	db.t.Helper()
	kinds, err := db.Kinds(k)
	if err != nil {
		return err.Error()
	}
	return "timeline: " + strings.Join(kinds, ", ")
}

// Kinds lists the kinds of an effect's timeline entries, oldest first, each with
// the state that it entered: "success→applied".
func (db *Database) Kinds(k engine.Key) ([]string, error) {
	effect, err := db.sweeper().Find(db.t.Context(), k)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for from := int64(0); ; {
		page, err := db.sweeper().Timeline(db.t.Context(), effect.ID, from)
		if err != nil {
			return nil, err
		}
		for _, entry := range page.Entries {
			kind := string(entry.Kind)
			if entry.State != "" {
				kind += "→" + string(entry.State)
			}
			kinds = append(kinds, kind)
		}
		if from = page.Next; from == 0 {
			return kinds, nil
		}
	}
}
