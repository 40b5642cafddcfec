package engine_test

import (
	"slices"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Reopening takes back the closing and no more: the note stays, the alert is due
// again, the feed says so, and a revision that has passed is refused.
func TestReopenTakesAClosedIncidentUpAgain(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for _, test := range []struct{ cause, state, due string }{
		{"failed", "failed", "00:02:00"}, {"missing", "missing", "00:00:00"}, {"unreceived", "missing", "00:00:00"},
	} {
		t.Run(test.cause, func(t *testing.T) {
			k := key("evt_" + test.cause)
			effect := accept(t, db, e, engine.Acceptance{Key: k}).EffectID
			exec(t, db.Pool, "SELECT sendpromptly.fail('stripe', $1)", k.EventID)
			exec(
				t,
				db.Pool,
				`UPDATE sendpromptly.incidents SET cause = $2, state = CASE $2 WHEN 'failed' THEN 'failed' ELSE 'missing' END
					WHERE effect_id = $1`,
				string(effect),
				test.cause,
			)
			exec(
				t,
				db.Pool,
				"SELECT sendpromptly.close(i.incident_id, 'ada', 'refunded') FROM sendpromptly.incidents AS i WHERE i.effect_id = $1",
				string(effect),
			)
			exec(t, db.Pool, "DELETE FROM sendpromptly.outbox")
			reopened := func(revision string) []string {
				return column(
					t,
					db.Pool,
					`SELECT r.state || ' ' || coalesce(r.refusal, 'done') || ' ' || r.current_revision FROM sendpromptly.incidents AS i,
					sendpromptly.reopen(i.incident_id, 'bob', 'not refunded after all', revision => $2::int) AS r WHERE i.effect_id = $1`,
					string(effect),
					revision,
				)
			}
			if got := reopened("1"); !slices.Equal(got, []string{"closed changed 2"}) {
				t.Errorf("an old revision: %v", got)
			}
			if got := reopened("2"); !slices.Equal(got, []string{test.state + " done 3"}) {
				t.Errorf("cause %s: %v", test.cause, got)
			}
			if got := reopened("3"); !slices.Equal(got, []string{test.state + " not_closed 3"}) {
				t.Errorf("twice: %v", got)
			}
			got := column(
				t,
				db.Pool,
				`SELECT concat_ws(' ', i.state, i.cause, i.note, i.closed_at, i.closed_by, o.due_at - n.at, n.kind, n.state, n.cause, n.actor,
					n.note, c.what)
				FROM sendpromptly.incidents AS i JOIN sendpromptly.outbox AS o USING (project_id, incident_id)
				JOIN LATERAL (SELECT * FROM sendpromptly.entries AS n WHERE n.effect_id = i.effect_id ORDER BY n.entry_id DESC LIMIT 1) AS n
					ON true
				JOIN LATERAL (SELECT * FROM sendpromptly.changes AS c WHERE c.subject_id = i.incident_id ORDER BY c.seq DESC LIMIT 1) AS c
					ON true
				WHERE i.effect_id = $1`,
				string(effect),
			)
			want := test.state + " " + test.cause + " refunded " + test.due + " reopened " +
				test.state + " " + test.cause + " bob not refunded after all reopened"
			if !slices.Equal(got, []string{want}) {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}
