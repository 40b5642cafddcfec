package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// scene is one effect over which two parties race.
type scene struct {
	db       *enginetest.Database
	e        *engine.Engine
	k        engine.Key
	incident engine.Incident
	// replay and token are the attempt's and its lease's, where it has been claimed.
	replay, token string
}

// move is one party. It runs in a transaction that the test holds open, or as
// the app, an operator or an engine does it.
type move struct {
	name string
	held func(ctx context.Context, s *scene, tx pgx.Tx) error
	call func(ctx context.Context, s *scene) error
}

// statement is a move that is one SQL function, the same in both forms.
func statement(name, sql string, args func(s *scene) []any) move {
	held := func(ctx context.Context, s *scene, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args(s)...)
		return err
	}
	return move{name, held, func(ctx context.Context, s *scene) error {
		return pgx.BeginFunc(ctx, s.db.Pool, func(tx pgx.Tx) error { return held(ctx, s, tx) })
	}}
}

// answered is the sender's recording of an answer to its callback.
func answered(verdict string) move {
	return statement(
		verdict,
		`SELECT sendpromptly.complete_callback(1, $1, $2, $3, 200, '5 seconds', 1, 'https://shop.example', NULL, NULL)`,
		func(s *scene) []any { return []any{s.replay, s.token, verdict} },
	)
}

func ofIncident(s *scene) []any { return []any{string(s.incident.ID)} }
func ofNothing(*scene) []any    { return nil }

var (
	success = move{
		"success",
		func(ctx context.Context, s *scene, tx pgx.Tx) error { return s.e.Succeed(ctx, tx, s.k) },
		func(ctx context.Context, s *scene) error { return succeed(ctx, s.db.Pool, s.e, s.k) },
	}
	failure = move{
		"failure",
		statement(
			"",
			`SELECT sendpromptly.fail('stripe', $1, 'credit_grant')`,
			func(s *scene) []any { return []any{s.k.EventID} },
		).held,
		func(ctx context.Context, s *scene) error { return s.e.Fail(ctx, s.k, context.DeadlineExceeded) },
	}
	applying = statement("apply", `SELECT sendpromptly.begin_apply('stripe', $1, 'credit_grant')`,
		func(s *scene) []any { return []any{s.k.EventID} })
	reprocess = move{
		"reprocess", statement("", `SELECT sendpromptly.reprocess($1, 'ada', '1 hour')`, ofIncident).held,
		func(ctx context.Context, s *scene) error {
			_, err := s.e.Reprocess(ctx, s.incident.ID, "bob")
			return err
		},
	}
	stop = move{
		"stop", statement("", `SELECT sendpromptly.stop($1, 'ada')`, ofIncident).held,
		func(ctx context.Context, s *scene) error { _, err := s.e.Stop(ctx, s.incident.ID, "bob"); return err },
	}
	closing = move{
		"close", statement("", `SELECT sendpromptly.close($1, 'ada', 'refunded')`, ofIncident).held,
		func(ctx context.Context, s *scene) error {
			return s.e.CloseIncident(ctx, s.incident.ID, "bob", "refunded")
		},
	}
	opening = move{
		"sweep", statement("", `SELECT sendpromptly.open_overdue(1000, NULL)`, ofNothing).held,
		func(ctx context.Context, s *scene) error { _, err := enginetest.Sweep(ctx, s.e); return err },
	}
	expiring   = move{"expiry", statement("", `SELECT sendpromptly.expire_attempts(1000)`, ofNothing).held, opening.call}
	claiming   = statement("claim", `SELECT sendpromptly.claim_callbacks(32)`, ofNothing)
	isAccepted = answered("accepted")
	isRetried  = answered("again")
	isHalted   = answered("halted")
)

// The states that a race starts from.
const (
	overdue      = "overdue"      // awaiting, its deadline passed
	opened       = "opened"       // missing
	asked        = "asked"        // reprocessing, the callback is due
	claimed      = "claimed"      // reprocessing, the callback is under way
	dueForExpiry = "dueForExpiry" // claimed, and the attempt's due time passed
)

// set makes an effect in the state.
func set(t *testing.T, db *enginetest.Database, e *engine.Engine, event, state string) *scene {
	t.Helper()
	s := &scene{db: db, e: e, k: key(event)}
	accept(t, db, e, engine.Acceptance{Key: s.k})
	db.Travel(31 * time.Minute)
	if state == overdue {
		return s
	}
	s.incident = db.RequireIncident(s.k, engine.CauseMissing)
	if state == opened {
		return s
	}
	attempt, err := e.Reprocess(t.Context(), s.incident.ID, "eve")
	if err != nil {
		t.Fatal(err)
	}
	s.replay = attempt.ReplayID
	if state == asked {
		return s
	}
	s.token = read[string](t, db.Pool, `SELECT token::text FROM sendpromptly.claim_callbacks(32) WHERE replay_id = $1`, s.replay)
	if state == dueForExpiry {
		db.Travel(3 * time.Hour)
	}
	return s
}

// story is the timeline after the part that every case from this state shares,
// and how each attempt ended.
func (s *scene) story(t *testing.T) string {
	t.Helper()
	kinds, err := s.db.Kinds(s.k)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(kinds, " ")
	for _, shared := range []string{"receipt→awaiting", " deadline→missing opened", " reprocess→reprocessing"} {
		if s.incident.ID == "" && shared != "receipt→awaiting" || s.replay == "" && shared == " reprocess→reprocessing" {
			continue
		}
		rest, found := strings.CutPrefix(text, shared)
		if !found {
			t.Fatalf("the timeline reads %q", text)
		}
		text = rest
	}
	results := read[string](t, s.db.Pool, `SELECT coalesce(string_agg(coalesce(a.result, 'in flight'), ', ' ORDER BY a.number), '')
		FROM sendpromptly.attempts AS a JOIN sendpromptly.incidents AS i USING (project_id, incident_id)
		JOIN sendpromptly.effects AS e USING (project_id, effect_id) WHERE e.event_id = $1`, s.k.EventID)
	if results != "" {
		text += " = " + results
	}
	return strings.TrimSpace(text)
}

// ending is what must be true once both are through: the story, and the
// second party's error.
type ending struct{ story, refusal string }

type order struct {
	from          string
	first, second move
	// waits says whether the second party waits for the first one's transaction.
	waits bool
	// committed and rolledBack are the endings by what the first party did.
	committed, rolledBack ending
}

const (
	waits     = true
	goesAhead = false

	isApplied  = "refused: the effect is applied"
	isInFlight = "refused: an attempt is in flight"
	isClosed   = "refused: the incident is already closed"
)

// orders lists who is first, who comes second, and what must come of it.
var orders = []order{
	{overdue, success, opening, goesAhead, ending{"success→applied", ""}, ending{"deadline→missing opened", ""}},
	{overdue, success, failure, goesAhead, ending{"success→applied failure", ""}, ending{"failure→failed opened", ""}},
	{overdue, success, success, waits, ending{"success→applied success", ""}, ending{"success→applied", ""}},
	{
		overdue,
		opening,
		success,
		waits,
		ending{"deadline→missing opened success→applied resolved", ""},
		ending{"success→applied", ""},
	},
	{
		overdue,
		opening,
		failure,
		goesAhead,
		ending{"deadline→missing opened failure→failed", ""},
		ending{"failure→failed opened", ""},
	},
	{overdue, opening, opening, goesAhead, ending{"deadline→missing opened", ""}, ending{"deadline→missing opened", ""}},
	{overdue, failure, success, waits, ending{"failure→failed opened success→applied resolved", ""}, ending{"success→applied", ""}},
	{overdue, failure, opening, goesAhead, ending{"failure→failed opened", ""}, ending{"deadline→missing opened", ""}},
	{overdue, failure, failure, goesAhead, ending{"failure→failed opened failure", ""}, ending{"failure→failed opened", ""}},

	{overdue, applying, opening, goesAhead, ending{"deadline→missing opened", ""}, ending{"deadline→missing opened", ""}},
	{overdue, applying, failure, goesAhead, ending{"failure→failed opened", ""}, ending{"failure→failed opened", ""}},
	{overdue, applying, success, waits, ending{"success→applied", ""}, ending{"success→applied", ""}},
	{overdue, success, applying, waits, ending{"success→applied", ""}, ending{"deadline→missing opened", ""}},

	{
		opened,
		applying,
		reprocess,
		goesAhead,
		ending{"reprocess→reprocessing = in flight", ""},
		ending{"reprocess→reprocessing = in flight", ""},
	},
	{opened, applying, closing, goesAhead, ending{"closed→closed", ""}, ending{"closed→closed", ""}},
	{opened, applying, failure, goesAhead, ending{"failure→failed", ""}, ending{"failure→failed", ""}},
	{
		opened,
		success,
		reprocess,
		waits,
		ending{"success→applied resolved", isApplied},
		ending{"reprocess→reprocessing = in flight", ""},
	},
	{opened, success, closing, waits, ending{"success→applied resolved", isApplied}, ending{"closed→closed", ""}},
	{opened, success, failure, goesAhead, ending{"success→applied resolved failure", ""}, ending{"failure→failed", ""}},
	{opened, success, success, waits, ending{"success→applied resolved success", ""}, ending{"success→applied resolved", ""}},
	{opened, success, stop, waits, ending{"success→applied resolved stopped", ""}, ending{"stopped", ""}},
	{
		opened,
		reprocess,
		success,
		waits,
		ending{"reprocess→reprocessing success→applied resolved = applied", ""},
		ending{"success→applied resolved", ""},
	},
	{
		opened,
		reprocess,
		reprocess,
		waits,
		ending{"reprocess→reprocessing = in flight", isInFlight},
		ending{"reprocess→reprocessing = in flight", ""},
	},
	{opened, reprocess, closing, waits, ending{"reprocess→reprocessing = in flight", isInFlight}, ending{"closed→closed", ""}},
	{
		opened,
		reprocess,
		failure,
		goesAhead,
		ending{"reprocess→reprocessing failure→failed = failed", ""},
		ending{"failure→failed", ""},
	},
	{opened, closing, success, waits, ending{"closed→closed success→applied", ""}, ending{"success→applied resolved", ""}},
	{
		opened,
		closing,
		reprocess,
		waits,
		ending{"closed→closed reopened reprocess→reprocessing = in flight", ""},
		ending{"reprocess→reprocessing = in flight", ""},
	},
	{opened, closing, closing, waits, ending{"closed→closed", isClosed}, ending{"closed→closed", ""}},
	{opened, closing, failure, goesAhead, ending{"closed→closed failure", ""}, ending{"failure→failed", ""}},
	{opened, failure, success, waits, ending{"failure→failed success→applied resolved", ""}, ending{"success→applied resolved", ""}},
	{opened, failure, closing, waits, ending{"failure→failed closed→closed", ""}, ending{"closed→closed", ""}},

	{
		asked,
		claiming,
		success,
		waits,
		ending{"success→applied resolved = applied", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{asked, claiming, stop, waits, ending{"stopped→failed = stopped", ""}, ending{"stopped→failed = stopped", ""}},
	{asked, claiming, claiming, goesAhead, ending{"= in flight", ""}, ending{"= in flight", ""}},
	{asked, success, claiming, goesAhead, ending{"success→applied resolved = applied", ""}, ending{"= in flight", ""}},
	{asked, stop, claiming, goesAhead, ending{"stopped→failed = stopped", ""}, ending{"= in flight", ""}},

	{
		claimed,
		success,
		isAccepted,
		waits,
		ending{"success→applied resolved callback = applied", ""},
		ending{"callback accepted = in flight", ""},
	},
	{
		claimed,
		success,
		isHalted,
		waits,
		ending{"success→applied resolved callback = applied", ""},
		ending{"callback gave_up→failed = gave_up", ""},
	},
	{
		claimed,
		success,
		isRetried,
		waits,
		ending{"success→applied resolved callback = applied", ""},
		ending{"callback = in flight", ""},
	},
	{
		claimed,
		success,
		stop,
		waits,
		ending{"success→applied resolved stopped = applied", ""},
		ending{"stopped→failed = stopped", ""},
	},
	{
		claimed,
		isAccepted,
		success,
		waits,
		ending{"callback accepted success→applied resolved = applied", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{
		claimed,
		isHalted,
		success,
		waits,
		ending{"callback gave_up→failed success→applied resolved = gave_up", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{
		claimed,
		isRetried,
		success,
		waits,
		ending{"callback success→applied resolved = applied", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{
		claimed,
		stop,
		success,
		waits,
		ending{"stopped→failed success→applied resolved = stopped", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{claimed, stop, isAccepted, waits, ending{"stopped→failed callback = stopped", ""}, ending{"callback accepted = in flight", ""}},
	{
		claimed,
		stop,
		isHalted,
		waits,
		ending{"stopped→failed callback = stopped", ""},
		ending{"callback gave_up→failed = gave_up", ""},
	},
	{claimed, stop, isRetried, waits, ending{"stopped→failed callback = stopped", ""}, ending{"callback = in flight", ""}},
	{claimed, stop, failure, goesAhead, ending{"stopped→failed failure = stopped", ""}, ending{"failure→failed = failed", ""}},
	{
		claimed,
		isAccepted,
		stop,
		waits,
		ending{"callback accepted stopped→failed = stopped", ""},
		ending{"stopped→failed = stopped", ""},
	},
	{
		claimed,
		isHalted,
		stop,
		waits,
		ending{"callback gave_up→failed stopped = gave_up", ""},
		ending{"stopped→failed = stopped", ""},
	},
	{claimed, isRetried, stop, waits, ending{"callback stopped→failed = stopped", ""}, ending{"stopped→failed = stopped", ""}},
	{
		claimed,
		isHalted,
		reprocess,
		waits,
		ending{"callback gave_up→failed reprocess→reprocessing = gave_up, in flight", ""},
		ending{"= in flight", isInFlight},
	},
	{
		claimed,
		isAccepted,
		isHalted,
		waits,
		ending{"callback accepted = in flight", ""},
		ending{"callback gave_up→failed = gave_up", ""},
	},

	{
		dueForExpiry,
		expiring,
		success,
		waits,
		ending{"deadline→missing success→applied resolved = missing", ""},
		ending{"success→applied resolved = applied", ""},
	},
	{
		dueForExpiry,
		expiring,
		failure,
		goesAhead,
		ending{"deadline→missing failure→failed = missing", ""},
		ending{"failure→failed = failed", ""},
	},
	{
		dueForExpiry,
		expiring,
		isAccepted,
		waits,
		ending{"deadline→missing callback = missing", ""},
		ending{"callback accepted = in flight", ""},
	},
	{dueForExpiry, expiring, stop, waits, ending{"deadline→missing stopped = missing", ""}, ending{"stopped→failed = stopped", ""}},
	{
		dueForExpiry,
		expiring,
		reprocess,
		waits,
		ending{"deadline→missing reprocess→reprocessing = missing, in flight", ""},
		ending{"deadline→missing = missing", isInFlight},
	},
	{
		dueForExpiry,
		success,
		expiring,
		goesAhead,
		ending{"success→applied resolved = applied", ""},
		ending{"deadline→missing = missing", ""},
	},
	{
		dueForExpiry,
		isAccepted,
		expiring,
		goesAhead,
		ending{"callback accepted = in flight", ""},
		ending{"deadline→missing = missing", ""},
	},
	{dueForExpiry, stop, expiring, goesAhead, ending{"stopped→failed = stopped", ""}, ending{"deadline→missing = missing", ""}},
}

// Every race of two parties, in both orders, with the first committing and with
// it rolling back: whoever comes second waits or goes ahead as promised, and the
// timeline tells which came first. It catches a lost outcome, a state read from a
// snapshot older than the lock, a fail or sweep that waits, and a signal that
// leaves callbacks of an ended attempt behind.
func TestWhoeverComesSecondSeesWhatTheFirstDid(t *testing.T) {
	t.Parallel()
	for _, from := range []string{overdue, opened, asked, claimed, dueForExpiry} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := db.Engine(engine.Config{})
			run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
			for _, o := range orders {
				if o.from == from {
					o.play(t, db, e, true, o.committed)
					o.play(t, db, e, false, o.rolledBack)
				}
			}
			if _, err := enginetest.Seal(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			db.RequireSound()
		})
	}
}

func (o order) play(t *testing.T, db *enginetest.Database, e *engine.Engine, commit bool, want ending) {
	t.Helper()
	how := map[bool]string{true: "committed", false: "rolled_back"}[commit]
	name := strings.Join([]string{o.from, o.first.name, how, o.second.name}, "_")
	ctx := t.Context()
	s := set(t, db, e, name, o.from)
	tx := open(t, db.Pool, pgx.TxOptions{})
	if err := o.first.held(ctx, s, tx); err != nil {
		t.Fatalf("%s: first: %v", name, err)
	}
	second := start(func() error { return o.second.call(ctx, s) })
	var err error
	if o.waits {
		waitBlocked(t, db, tx, 1)
		finish(t, tx, commit)
		err = receive(t, name+": the second party ends", second)
	} else {
		err = receive(t, name+": the second party does not wait", second)
		finish(t, tx, commit)
	}
	if want.refusal == "" && err != nil || want.refusal != "" && (err == nil || !strings.Contains(err.Error(), want.refusal)) {
		t.Errorf("%s: the second party's error is %v, want %q", name, err, want.refusal)
	}
	// What was stored aside is folded in, what was locked is held once and then found.
	sweep(t, e)
	db.Travel(61 * time.Second)
	sweep(t, e)
	if got := s.story(t); got != want.story {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want.story)
	}
	if effect, err := e.Find(ctx, s.k); err != nil {
		t.Error(err)
	} else if effect.State == engine.StateReprocessing {
		if _, err := e.Stop(ctx, s.incident.ID, "eve"); err != nil { // nothing in flight for the next race
			t.Error(err)
		}
	}
}

// A success that waits for a worker's transaction is overtaken by the sweep: the
// incident opens meanwhile, the success resolves it, and nothing of it stays where
// an undisturbed success would be. At REPEATABLE READ it is refused instead. It
// catches a success that goes on with what it read before it waited.
func TestASuccessThatTheSweepOvertakesResolvesTheIncident(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for level, want := range map[pgx.TxIsoLevel]string{
		pgx.ReadCommitted:  "",
		pgx.RepeatableRead: "40001",
		pgx.Serializable:   "40001",
	} {
		t.Run(string(level), func(t *testing.T) {
			s := set(t, db, e, "evt_"+strings.ReplaceAll(string(level), " ", "_"), overdue)
			worker := open(t, db.Pool, pgx.TxOptions{})
			if err := applying.held(t.Context(), s, worker); err != nil {
				t.Fatal(err)
			}
			second := start(func() error {
				return pgx.BeginTxFunc(
					t.Context(),
					db.Pool,
					pgx.TxOptions{IsoLevel: level},
					func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, s.k) },
				)
			})
			waitBlocked(t, db, worker, 1)
			if opened := sweep(t, e); opened != 1 {
				t.Fatalf("the sweep opened %d incidents, want 1", opened)
			}
			finish(t, worker, false)
			if err := receive(t, "the success ends", second); sqlState(err) != want {
				t.Errorf("%s: error = %v, want %q", level, err, want)
			}
			if want != "" {
				if err := succeed(t.Context(), db.Pool, e, s.k); err != nil { // as the caller repeats it
					t.Fatal(err)
				}
			}
			requireStory(t, db, s.k, "receipt→awaiting deadline→missing opened success→applied resolved")
		})
	}
	db.RequireSound()
}
