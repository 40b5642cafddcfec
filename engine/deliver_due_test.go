package engine_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/callback"
)

// An accepted callback is not an outcome: without one by the due time the
// incident is missing again, may be reprocessed, closed, and reopened by the next
// reprocess, whose attempt has the next number.
func TestAnAcceptedCallbackWithoutAnOutcomeIsMissingAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(202))
	incident, _ := r.ask("evt_1")
	r.deliver(1)
	r.db.Travel(29 * time.Minute)
	sweep(t, r.e)
	r.db.RequireState(incident.Key, engine.StateReprocessing)
	r.db.Travel(2 * time.Minute)
	sweep(t, r.e)
	requireStory(t, r.db, incident.Key, askedFor+" callback accepted deadline→missing")

	if err := r.e.CloseIncident(t.Context(), incident.ID, "ada", "paid back"); err != nil {
		t.Fatal(err)
	}
	attempt, err := r.e.Reprocess(t.Context(), incident.ID, "bob")
	if err != nil || attempt.Number != 2 {
		t.Fatalf("%+v, %v", attempt, err)
	}
	r.answer = r.e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }).ServeHTTP
	r.deliver(1)
	requireStory(
		t,
		r.db,
		incident.Key,
		askedFor+" callback accepted deadline→missing closed→closed reopened reprocess→reprocessing success→applied resolved callback",
	)
	now, err := r.e.Incident(t.Context(), incident.ID)
	if err != nil || now.Note != "paid back" || !now.ClosedAt.IsZero() || now.ClosedBy != "" || now.ResolvedAt.IsZero() {
		t.Errorf("incident = %+v, %v", now, err)
	}
	r.db.RequireSound()
}

// A timeout of days is as long for an attempt as it was for the first deadline, also where the session's time zone
// changes its clocks meanwhile.
func TestAnAttemptsDueTimeDoesNotDependOnTheTimeZone(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * time.Hour
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	run(t, db.Pool, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Europe/Berlin''', current_database()); END $$`)
	now := time.Now()
	spring := time.Date(now.Year(), 3, 10, 12, 0, 0, 0, time.UTC) // the clocks change at the end of March
	for spring.Before(now.Add(month)) {
		spring = spring.AddDate(1, 0, 0)
	}
	db.Travel(spring.Sub(now) - month)
	e := engineOn(t, newPool(t, db, "berlin", 2), engine.Config{})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: month})
	db.Travel(month + time.Second)
	incident := db.RequireIncident(key("evt_1"), engine.CauseMissing)
	attempt, err := e.Reprocess(t.Context(), incident.ID, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if left := attempt.DueAt.Sub(attempt.RequestedAt); left != callback.Span()+month {
		t.Errorf("due in %s, want %s", left, callback.Span()+month)
	}
}

// An endpoint that asks for an hour each time gets it: the attempt lasts until its last try has had its timeout.
func TestAnAttemptLastsAsLongAsItsEndpointAsksFor(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(503)
	})
	incident, _ := r.ask("evt_1")
	for range callback.Tries - 1 {
		r.deliver(1)
		r.db.Travel(time.Hour)
		sweep(t, r.e)
		r.db.RequireState(incident.Key, engine.StateReprocessing)
	}
	now, err := r.e.Incident(t.Context(), incident.ID)
	if err != nil {
		t.Fatal(err)
	}
	if left := now.DueAt.Sub(read[time.Time](t, r.db.Pool, `SELECT sendpromptly.clock()`)); left < 29*time.Minute {
		t.Errorf("the last try has %s, want the timeout", left)
	}
	r.db.Travel(13 * time.Minute) // a fifth more than the schedule's hour
	r.deliver(1)
	requireStory(t, r.db, incident.Key, askedFor+strings.Repeat(" callback", 6)+" gave_up→failed")
	r.db.RequireSound()
}

// A repair that was queued has a minute at least, however short the effect's own timeout is.
func TestAQueuedRepairHasAMinuteAtLeast(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(202))
	accept(t, r.db, r.e, engine.Acceptance{Key: key("evt_1"), Timeout: 5 * time.Second})
	r.db.Travel(6 * time.Second)
	incident := r.db.RequireIncident(key("evt_1"), engine.CauseMissing)
	if _, err := r.e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	r.deliver(1)
	r.db.Travel(50 * time.Second)
	sweep(t, r.e)
	r.db.RequireState(incident.Key, engine.StateReprocessing)
	r.db.Travel(11 * time.Second)
	sweep(t, r.e)
	requireStory(t, r.db, incident.Key, askedFor+" callback accepted deadline→missing")
}
