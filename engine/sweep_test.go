package engine_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// acceptEvents records n receipts, evt_0 to evt_(n-1), in one call.
func acceptEvents(t *testing.T, db *enginetest.Database, e *engine.Engine, n int) {
	t.Helper()
	list := make([]engine.Acceptance, n)
	for i := range list {
		list[i] = engine.Acceptance{Key: key(fmt.Sprintf("evt_%d", i))}
	}
	err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
		_, err := e.AcceptMany(t.Context(), tx, list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Some rows cannot be opened, for whatever reason lies in them. They are found
// by halving, set aside with the reason on their timeline, and delay nobody:
// every other incident opens in the same pass. In an hour they are tried again.
func TestAPoisonousRowNeverWedgesTheSweep(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{Logger: slog.New(slog.DiscardHandler)})
	acceptEvents(t, db, e, 2500)
	exec(t, db.Pool, `CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF EXISTS (SELECT 1 FROM sendpromptly.effects WHERE effect_id = NEW.effect_id
			AND event_id IN ('evt_0', 'evt_700', 'evt_2499')) THEN
			RAISE EXCEPTION 'this row is poisonous';
		END IF;
		RETURN NEW; END $$`)
	exec(t, db.Pool, "CREATE TRIGGER poison BEFORE INSERT ON sendpromptly.incidents FOR EACH ROW EXECUTE FUNCTION poison()")
	db.Travel(31 * time.Minute)
	opened, err := enginetest.Sweep(t.Context(), e)
	if opened != 2497 || err != nil {
		t.Fatalf("Sweep = %d, %v; want all but three", opened, err)
	}
	aside := column(
		t,
		db.Pool,
		`SELECT e.event_id FROM sendpromptly.owed AS o JOIN sendpromptly.effects AS e USING (effect_id)
			WHERE o.poisoned LIKE '%poisonous%' ORDER BY 1`,
	)
	if got := strings.Join(aside, " "); got != "evt_0 evt_2499 evt_700" {
		t.Errorf("set aside: %s", got)
	}
	if story := db.Story(key("evt_700")); !strings.Contains(story, "note") {
		t.Errorf("nothing on the timeline: %s", story)
	}
	if opened, err := enginetest.Sweep(t.Context(), e); opened != 0 || err != nil {
		t.Errorf("within the hour: %d, %v", opened, err)
	}
	exec(t, db.Pool, "DROP TRIGGER poison ON sendpromptly.incidents")
	db.Travel(time.Hour)
	if opened, err := enginetest.Sweep(t.Context(), e); opened != 3 || err != nil {
		t.Errorf("an hour later: %d, %v", opened, err)
	}
	db.RequireSound()
}

func TestASweepTakesMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	acceptEvents(t, db, e, 3001)
	db.Travel(31 * time.Minute)
	if opened, err := enginetest.Sweep(t.Context(), e); opened != 3001 || err != nil {
		t.Errorf("Sweep = %d, %v", opened, err)
	}
	if alerts := column(t, db.Pool, "SELECT count(*)::text FROM sendpromptly.outbox"); alerts[0] != "3001" {
		t.Errorf("%s alerts in the outbox", alerts[0])
	}
	db.RequireSound()
}

// Two lists that name the same keys in opposite order would deadlock if they
// were taken in the order given.
func TestListsInOppositeOrderDoNotDeadlock(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	there := make([]engine.Acceptance, 300)
	for i := range there {
		there[i] = engine.Acceptance{Key: key(fmt.Sprintf("evt_%d", i))}
	}
	back := make([]engine.Acceptance, len(there))
	for i := range there {
		back[len(there)-1-i] = there[i]
	}
	errs := make(chan error, 8)
	for worker := range 8 {
		go func() {
			errs <- pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
				list := there
				if worker%2 == 1 {
					list = back
				}
				receipts, err := e.AcceptMany(t.Context(), tx, list)
				if err == nil && len(receipts) != len(list) {
					err = fmt.Errorf("%d receipts", len(receipts))
				}
				return err
			})
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := column(t, db.Pool, "SELECT count(*)::text FROM sendpromptly.effects"); n[0] != "300" {
		t.Errorf("%s effects", n[0])
	}
}
