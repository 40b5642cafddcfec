// Package enginetest helps to test apps that embed the engine. It gives each test a real Postgres
// database with the schema, moves its clock, and asserts the state of effects and incidents.
//
//	db := enginetest.New(t)
//	effects := db.Engine(engine.Config{})
//	… the app accepts a webhook, and no worker runs …
//	db.Travel(31 * time.Minute)
//	incident := db.RequireIncident(key, engine.CauseMissing)
//
// It uses the server in DATABASE_URL, and never writes to the database that is named there. If
// DATABASE_URL is not set, it starts a locally installed Postgres in a temporary folder or, if
// there is none, a container.
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

// Database is a database for one test. It is dropped when the test ends.
type Database struct {
	// Pool is connected to the database. The app under test may open more pools with URL.
	Pool *pgxpool.Pool
	// URL is the database's connection string.
	URL string

	t testing.TB
	// offset is how far the clock was moved, in microseconds. Copies made by For share it.
	offset *atomic.Int64
	// sweeper is the engine that the assertions use. It is created at first use, so that a test may
	// migrate or break the schema before.
	sweeper func() *engine.Engine
}

// New creates a migrated database for the test. It takes about 0.1 seconds. Parallel tests may call
// it.
func New(t testing.TB) *Database {
	t.Helper()
	db := newDatabase(t, templates.take(t))
	return db
}

// NewEmpty creates a database without the schema, for tests of migrations.
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

// For returns the same database for a subtest t: a failed assertion ends the subtest.
func (db *Database) For(t testing.TB) *Database {
	sub := *db
	sub.t = t
	return &sub
}

// Engine creates an engine for the database. An error fails and ends the test.
func (db *Database) Engine(cfg engine.Config) *engine.Engine {
	db.t.Helper()
	e, err := engine.New(db.t.Context(), db.Pool, cfg)
	if err != nil {
		db.t.Fatalf("enginetest: %v", err)
	}
	return e
}

// Travel moves the database's clock forward by d, for every engine on it. It opens no incidents
// itself: call [Sweep], or have [engine.Engine.Run] running.
func (db *Database) Travel(d time.Duration) {
	db.t.Helper()
	offset := db.offset.Add(d.Microseconds())
	const statement = `CREATE OR REPLACE FUNCTION sendpromptly.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
		AS 'SELECT pg_catalog.clock_timestamp() + interval ''%d microseconds'''`
	if _, err := db.Pool.Exec(db.t.Context(), fmt.Sprintf(statement, offset)); err != nil {
		db.t.Fatalf("enginetest: travelling: %v", err)
	}
}

// RequireApplied fails and ends the test unless the effect is applied.
func (db *Database) RequireApplied(k engine.Key) {
	db.t.Helper()
	db.RequireState(k, engine.StateApplied)
}

// RequireState fails and ends the test unless the effect is in the state want.
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

// RequireIncident sweeps, and returns the effect's open incident. It fails and ends the test unless
// there is one with this cause: [engine.CauseFailed] or [engine.CauseMissing].
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

// RequireNoIncident sweeps, and fails and ends the test if the effect has an incident, open or not.
func (db *Database) RequireNoIncident(k engine.Key) {
	db.t.Helper()
	if _, err := Sweep(db.t.Context(), db.sweeper()); err != nil {
		db.t.Fatalf("enginetest: sweeping: %v", err)
	}
	if incident, err := IncidentOf(db.t.Context(), db.sweeper(), k); err == nil {
		db.t.Fatalf("enginetest: %s has an incident with cause %s\n%s", k, incident.Cause, db.Story(k))
	}
}

// RequireSound makes the checks of spadmin verify, and fails and ends the test if an invariant does
// not hold or an incident is overdue.
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

// Story returns an effect's timeline in one line, for test messages.
func (db *Database) Story(k engine.Key) string {
	db.t.Helper()
	kinds, err := db.Kinds(k)
	if err != nil {
		return err.Error()
	}
	return "timeline: " + strings.Join(kinds, ", ")
}

// Kinds returns the kinds of an effect's timeline entries, oldest first. A kind that changed the
// state has the new state after an arrow: "success→applied".
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
