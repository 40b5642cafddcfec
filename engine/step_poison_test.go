package engine_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Engines that meet the same poisonous rows at once set those aside and no
// others: an innocent effect whose turn came in between must not wait an hour.
// It catches an engine that sets aside whatever row is the first now, instead of
// the one that it failed on.
func TestEnginesThatMeetAPoisonousRowSetNoOtherAside(t *testing.T) {
	t.Parallel()
	rounds := 3
	if heavy() {
		rounds = 40
	}
	db := enginetest.New(t)
	poison(t, db)
	quiet := engine.Config{Logger: slog.New(slog.DiscardHandler)}
	var engines []*engine.Engine
	for range 5 {
		engines = append(engines, engineOn(t, newPool(t, db, "engine", 1), quiet))
	}
	for round := range rounds {
		name := "evt_" + strings.Repeat("r", round)
		acceptAll(t, db, engines[0], name, 40, time.Minute) // the poisonous one is not always the first
		db.Travel(2 * time.Minute)
		var sweepers sync.WaitGroup
		for _, e := range engines {
			sweepers.Go(func() {
				if _, err := enginetest.Sweep(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
		}
		sweepers.Wait()
		if n := read[int](
			t,
			db.Pool,
			`SELECT count(*) FROM sendpromptly.owed AS o JOIN sendpromptly.effects AS e USING (project_id, effect_id)
			WHERE o.poisoned IS NOT NULL AND e.event_id NOT LIKE '%\_0'`,
		); n != 0 {
			t.Errorf("round %d: %d innocent effects were set aside", round, n)
		}
		if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.owed WHERE poisoned IS NOT NULL`); n != round+1 {
			t.Errorf("round %d: %d effects are set aside, want the %d poisonous ones", round, n, round+1)
		}
		for range 2 { // what one engine saw locked by another is held once
			db.Travel(61 * time.Second)
			sweep(t, engines[0])
		}
	}
	run(t, db.Pool, `DROP TRIGGER poison ON sendpromptly.incidents`)
	db.Travel(2 * time.Hour)
	sweep(t, engines[0])
	db.RequireSound()
	if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.incidents`); n != 40*rounds {
		t.Errorf("%d incidents, want %d", n, 40*rounds)
	}
}

// poison lets no incident open for effects whose event ends in _0.
func poison(t *testing.T, db *enginetest.Database) {
	t.Helper()
	run(t, db.Pool, `CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF EXISTS (SELECT 1 FROM sendpromptly.effects WHERE effect_id = NEW.effect_id AND event_id LIKE '%\_0') THEN
			RAISE EXCEPTION 'this row is poisonous';
		END IF;
		RETURN NEW; END $$`)
	run(t, db.Pool, `CREATE TRIGGER poison BEFORE INSERT ON sendpromptly.incidents FOR EACH ROW EXECUTE FUNCTION public.poison()`)
}

// The same in slow motion: while another engine holds the poisonous row, the
// first free one is innocent, is left as it was, and opens.
func TestAnInnocentRowIsNotSetAside(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{Logger: slog.New(slog.DiscardHandler)})
	poison(t, db)
	accept(t, db, e, engine.Acceptance{Key: key("evt_0")})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1")})
	db.Travel(31 * time.Minute)
	before := contents(t, db)
	other := open(t, db.Pool, pgx.TxOptions{})
	run(t, other, `SELECT 1 FROM sendpromptly.owed ORDER BY deadline LIMIT 1 FOR UPDATE`)
	run(t, db.Pool, `SELECT sendpromptly.set_aside()`)
	for table, rows := range contents(t, db) {
		if rows != before[table] {
			t.Errorf("%s changed", table)
		}
	}
	finish(t, other, false)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("%d incidents opened, want the innocent effect's", opened)
	}
	requireStory(t, db, key("evt_1"), "receipt→awaiting deadline→missing opened")
	requireStory(t, db, key("evt_0"), "receipt→awaiting note")
}

// A failure that was stored aside and cannot be folded in waits an hour, and keeps no other failure and no deadline from
// being found in the same pass.
func TestAPoisonousFailureNeverWedgesTheSweep(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1")})
	for _, event := range []string{"evt_0", "evt_2", "evt_3"} {
		accept(t, db, e, engine.Acceptance{Key: key(event), Timeout: 24 * time.Hour})
		tx := open(t, db.Pool, pgx.TxOptions{})
		if err := e.Succeed(t.Context(), tx, key(event)); err != nil {
			t.Fatal(err)
		}
		if err := e.Fail(t.Context(), key(event), errNoAccount); err != nil {
			t.Fatal(err)
		}
		finish(t, tx, false)
	}
	if n := aside(t, db); n != 3 {
		t.Fatalf("%d failures aside, want 3", n)
	}
	poison(t, db)
	db.Travel(31 * time.Minute)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("%d deadlines found, want 1", opened)
	}
	requireStory(t, db, key("evt_1"), "receipt→awaiting deadline→missing opened")
	requireStory(t, db, key("evt_2"), "receipt→awaiting failure→failed opened")
	requireStory(t, db, key("evt_3"), "receipt→awaiting failure→failed opened")
	requireStory(t, db, key("evt_0"), "receipt→awaiting note")
	sweep(t, e) // it waits
	requireStory(t, db, key("evt_0"), "receipt→awaiting note")
	run(t, db.Pool, `DROP TRIGGER poison ON sendpromptly.incidents`)
	db.Travel(61 * time.Minute)
	sweep(t, e)
	requireStory(t, db, key("evt_0"), "receipt→awaiting note failure→failed opened")
	db.RequireSound()
}

// The same for an attempt that cannot be ended.
func TestAPoisonousAttemptNeverWedgesTheSweep(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	for _, i := range missing(t, db, e, key("evt_0"), key("evt_1"), key("evt_2")) {
		if _, err := e.Reprocess(t.Context(), i.ID, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, db, e, engine.Acceptance{Key: key("evt_3")})
	poison(t, db)
	run(t, db.Pool, `DROP TRIGGER poison ON sendpromptly.incidents`)
	run(
		t,
		db.Pool,
		`CREATE TRIGGER poison BEFORE UPDATE ON sendpromptly.incidents FOR EACH ROW WHEN (NEW.state = 'missing')
			EXECUTE FUNCTION public.poison()`,
	)
	db.Travel(3 * time.Hour)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("%d deadlines found, want 1", opened)
	}
	db.RequireState(key("evt_0"), engine.StateReprocessing)
	for _, event := range []string{"evt_1", "evt_2", "evt_3"} {
		db.RequireState(key(event), engine.StateMissing)
	}
	run(t, db.Pool, `DROP TRIGGER poison ON sendpromptly.incidents`)
	db.Travel(61 * time.Minute)
	sweep(t, e)
	requireStory(t, db, key("evt_0"), askedFor+" note deadline→missing")
	db.RequireSound()
}

// An effect that cannot be removed stays, with a note that keeps it for another while, and keeps no other from leaving.
func TestAPoisonousEffectNeverWedgesRetention(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	acceptEvents(t, db, e, 45) // three groups, with a poisonous one in the first and in the last
	exec(t, db.Pool, "SELECT sendpromptly.succeed('stripe', event_id) FROM sendpromptly.effects")
	run(
		t,
		db.Pool,
		`CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this row is poisonous'; END $$`,
	)
	run(
		t,
		db.Pool,
		`CREATE TRIGGER poison BEFORE DELETE ON sendpromptly.effects FOR EACH ROW WHEN (OLD.event_id IN ('evt_0', 'evt_42'))
			EXECUTE FUNCTION public.poison()`,
	)
	retention(t, db, 35*day)
	db.Travel(36 * day)
	retain(t, e, 43)
	requireStory(t, db, key("evt_0"), "receipt→awaiting success→applied note")
	requireStory(t, db, key("evt_42"), "receipt→awaiting success→applied note")
	db.Travel(2 * time.Hour)
	retain(t, e, 0) // it waits
	requireStory(t, db, key("evt_0"), "receipt→awaiting success→applied note")
	db.RequireSound()
	run(t, db.Pool, `DROP TRIGGER poison ON sendpromptly.effects`)
	db.Travel(36 * day)
	retain(t, e, 2)
}

// A chain that cannot be sealed, for somebody meddled with it, is noted and found by verify, and keeps no other from being
// sealed.
func TestABrokenChainHoldsUpNoOther(t *testing.T) {
	// Not in parallel: sealing waits for every transaction of the cluster that has written, and other tests hold some for long.
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	broken := sealedStory(t, db, e, "evt_broken")
	run(t, db.Pool, `DELETE FROM sendpromptly.chains`)
	incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_broken"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Note(t.Context(), incident.ID, "ada", "as I said"); err != nil {
		t.Fatal(err)
	}
	accept(t, db, e, engine.Acceptance{Key: key("evt_whole")})
	if err := e.Fail(t.Context(), key("evt_whole"), errNoAccount); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other is sealed", func() bool { // behind the transactions of other tests
		if _, err := enginetest.Seal(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		return read[bool](
			t,
			db.Pool,
			`SELECT EXISTS (SELECT FROM sendpromptly.chains AS c JOIN sendpromptly.effects AS e USING (project_id, effect_id)
			WHERE e.event_id = 'evt_whole')`,
		)
	})
	if n := read[int](
		t,
		db.Pool,
		`SELECT count(*) FROM sendpromptly.entries WHERE effect_id = $1 AND note LIKE 'the timeline could not be sealed%'`,
		string(broken),
	); n == 0 {
		t.Error("the broken one's timeline does not say so")
	}
	if chainsHold(t, db) {
		t.Error("verify notices nothing")
	}
}
