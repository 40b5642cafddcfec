package evidence_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// places finds the tables of the whole schema in which a text stands, also as bytes.
func (w *world) places(text string) []string {
	w.t.Helper()
	rows, err := w.db.Pool.Query(
		w.t.Context(),
		"SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind = 'r'",
	)
	if err != nil {
		w.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 15 {
		w.t.Fatal(tables, err)
	}
	var found []string
	for _, table := range tables {
		if w.count(
			"SELECT count(*) FROM sendpromptly."+table+" AS t WHERE t::text ILIKE $1 OR t::text ILIKE $2",
			"%"+text+"%",
			fmt.Sprintf("%%%x%%", text),
		) > 0 {
			found = append(found, table)
		}
	}
	return found
}

// stranger makes an incident of somebody whose name is in every text.
func (w *world) stranger(event, name string) engine.Incident {
	w.t.Helper()
	i := w.incident(event, func(a *engine.Acceptance) {
		a.Subject, a.Customer, a.Objects = "acct_"+name, "cus_"+name, []string{"in_" + name}
	})
	if err := w.engine.CloseIncident(w.t.Context(), i.ID, "ada@example.com", "told "+name); err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := w.store.Evidence.Proofs.Issue(
		w.t.Context(),
		evidence.ProofRequest{Incident: i.ID, By: "ada@example.com", Issuer: "x", Audience: "for " + name},
		func(evidence.ProofClaims) (string, error) { return "t", nil },
	); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`WITH made AS (INSERT INTO sendpromptly.plans (project_id, plan_id, action, filter, note, size, created_at, created_by)
		SELECT 1, gen_random_uuid(), 'close', format('{"Customer":"cus_%s"}', $2::text), 'because of ' || $2, 1, now(), 'ada'
		RETURNING plan_id)
		INSERT INTO sendpromptly.plan_items (project_id, plan_id, incident_id, revision) SELECT 1, m.plan_id, $1, 1 FROM made AS
		m`, i.ID, name)
	w.exec(`INSERT INTO sendpromptly.saved_views (project_id, view_id, name, filter, created_by, created_at)
		SELECT 1, gen_random_uuid(), $1, format('{"Customer":"cus_%s"}', $2::text), 'ada', now()`, event, name)
	return i
}

// What a person's effects hold about them is gone from every table, and every
// chain and every proof holds as before.
func TestErasingLeavesNothingAndBreaksNothing(t *testing.T) {
	t.Parallel()
	for _, indexed := range []bool{true, false} {
		t.Run(fmt.Sprintf("indexed %v", indexed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			i, other := w.stranger("evt_1", "zelda"), w.stranger("evt_2", "yusuf")
			before, err := w.store.Evidence.Proofs.List(t.Context(), evidence.ProofFilter{Incident: i.ID})
			if err != nil {
				t.Fatal(err)
			}
			if indexed {
				if _, err := enginetest.Index(t.Context(), w.engine); err != nil {
					t.Fatal(err)
				}
			}
			if found := w.places("zelda"); len(found) < 4 {
				t.Fatalf("the name stands only in %v", found)
			}
			erased, err := w.store.Evidence.Erase(
				t.Context(),
				evidence.EraseRequest{Project: "default", Customer: "cus_zelda", By: "ada@example.com"},
			)
			if err != nil || erased.Effects != 1 || erased.Open != 0 {
				t.Fatalf("Erase = %+v, %v", erased, err)
			}
			if found := w.places("zelda"); len(found) > 0 {
				t.Errorf("the name still stands in %v", found)
			}
			if found := w.places("yusuf"); len(found) < 4 {
				t.Errorf("of somebody else is left only %v", found)
			}
			w.db.RequireSound()
			w.requireChains()
			if still, err := w.store.Evidence.Chains.StillProven(t.Context(), before.Proofs[0]); !still || err != nil {
				t.Errorf("StillProven = %v, %v", still, err)
			}
			kinds, _ := w.db.Kinds(i.Key)
			if kinds[len(kinds)-1] != "erased" {
				t.Errorf("timeline %v", kinds)
			}
			if n := w.count(
				"SELECT count(*) FROM sendpromptly.audit AS a WHERE a.action = 'erase' AND a.actor = 'ada@example.com'",
			); n != 1 {
				t.Errorf("%d audit entries", n)
			}
			if _, err := enginetest.Index(t.Context(), w.engine); err != nil || len(w.places("zelda")) > 0 {
				t.Errorf("the index brought the name back: %v", err)
			}
			w.goesOn(other)
			w.goesOn(i)
		})
	}
}

// What holds a person's name only for a while, or only where something went wrong.
func TestErasingReachesWhatIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`SELECT sendpromptly.accept('stripe', 'evt_owed', 'credit_grant', customer => 'cus_zelda')`)
	w.exec(`UPDATE sendpromptly.owed SET poisoned = 'no such account: zelda'`)
	w.exec(`INSERT INTO sendpromptly.deferred_failures (project_id, effect_id, at, not_before, error_code, error_message)
		SELECT e.project_id, e.effect_id, now(), now(), 'zelda', 'no such account: zelda' FROM sendpromptly.effects AS e`)
	i := w.incident("evt_1", func(a *engine.Acceptance) { a.Customer = "cus_zelda" })
	w.exec(`UPDATE sendpromptly.projects SET repair_url = 'https://shop.example'`)
	if _, err := w.store.Projects.RotateCallbackSecret(t.Context(), "default", 0, "ada"); err != nil {
		t.Fatal(err)
	}
	attempt, err := w.engine.Reprocess(t.Context(), i.ID, "ada")
	if err != nil {
		t.Fatal(err)
	}
	w.exec(`INSERT INTO sendpromptly.nonces (project_id, nonce, replay_id, body_hash, status, answer, expires_at)
		VALUES (1, 'n', $1, sha256('the body names zelda'), 200, 'done for zelda', now() + interval '1 day')`, attempt.ReplayID)
	w.exec(
		`INSERT INTO sendpromptly.snapshots (project_id, effect_id, purge_at, sealed) VALUES (1, $1, now() + interval '1 day', `+
			`'zelda')`,
		i.EffectID,
	)
	if found := w.places("zelda"); len(found) < 6 {
		t.Fatalf("the name stands only in %v", found)
	}
	if erased, err := w.store.Evidence.Erase(
		t.Context(),
		evidence.EraseRequest{Project: "default", Customer: "cus_zelda", By: "ada"},
	); err != nil ||
		erased.Effects != 2 {
		t.Fatalf("Erase = %+v, %v", erased, err)
	}
	if found := w.places("zelda"); len(found) > 0 {
		t.Errorf("the name still stands in %v", found)
	}
	if n := w.count("SELECT count(*) FROM sendpromptly.nonces WHERE body_hash = sha256('the body names zelda')"); n != 0 {
		t.Error("the hash of a body says whether a guess is right")
	}
	w.requireChains()
}

// An effect that was erased and went on can be erased once more: each entry keeps
// the salts of its own time.
func TestAnEffectCanBeErasedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.stranger("evt_1", "zelda")
	for range 2 {
		w.exec("SELECT sendpromptly.erase_effect(1, $1, 'ada')", i.EffectID)
		w.db.RequireSound()
		w.requireChains()
		w.goesOn(i)
	}
}

// goesOn adds to a timeline, which is sealed with what salt there is.
func (w *world) goesOn(i engine.Incident) {
	w.t.Helper()
	if err := w.engine.Fail(w.t.Context(), i.Key, errors.New("again"), engine.WithCode("x")); err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := w.engine.SealEffect(w.t.Context(), i.EffectID); err != nil {
		w.t.Fatal(err)
	}
	w.db.RequireSound()
	w.requireChains()
}

func (w *world) requireChains() {
	w.t.Helper()
	report, err := w.store.Evidence.Chains.Verify(w.t.Context())
	if err != nil || !report.OK {
		w.t.Errorf("VerifyChains = %+v, %v", report, err)
	}
}

// After erasing, what was kept is still held against its commitments, and what
// was emptied may not be filled again.
func TestAnErasedChainIsStillGuarded(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]string{
		"the amount":          "UPDATE sendpromptly.effects SET amount = 1",
		"who closed it":       "UPDATE sendpromptly.entries SET actor = 'eve' WHERE kind = 'closed'",
		"an emptied note":     "UPDATE sendpromptly.entries SET note = 'all well' WHERE kind = 'closed'",
		"an emptied customer": "UPDATE sendpromptly.effects SET customer = 'cus_other'",
		"a time":              "UPDATE sendpromptly.entries SET at = at - interval '1 hour' WHERE kind = 'failure'",
		"the erased entry":    "UPDATE sendpromptly.entries SET kind = 'note' WHERE kind = 'erased'",
		"the erased number":   "UPDATE sendpromptly.chains SET erased = erased - 1",
		"who closed it, emptied": `WITH emptied AS (UPDATE sendpromptly.entries SET actor = NULL WHERE kind = 'closed' RETURNING
		entry_id)
			UPDATE sendpromptly.seals AS s SET salts = ARRAY(SELECT NULL::bytea FROM unnest(s.fields)) FROM emptied AS n WHERE
			s.entry_id = n.entry_id`,
		"the amount, emptied": `WITH emptied AS (UPDATE sendpromptly.effects SET amount = 0, currency = '')
			UPDATE sendpromptly.seals AS s SET salts = ARRAY(SELECT CASE WHEN f.name NOT IN ('amount', 'currency') THEN s.salts[f.n] END
				FROM unnest(s.fields) WITH ORDINALITY AS f(name, n) ORDER BY f.n) WHERE s.seq = 1`,
		"a kept salt": "UPDATE sendpromptly.seals SET salts[1] = sha256('x') WHERE seq = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stranger("evt_1", "zelda")
			if _, err := w.store.Evidence.Erase(
				t.Context(),
				evidence.EraseRequest{Project: "default", Subject: "acct_zelda", By: "ada"},
			); err != nil {
				t.Fatal(err)
			}
			w.requireChains()
			w.exec(tamper)
			report, err := w.store.Evidence.Chains.Verify(t.Context())
			if err != nil || report.OK {
				t.Errorf("spadmin audit verify notices nothing: %v", err)
			}
			verified, err := w.store.Checks.Verify(t.Context(), 0)
			if err != nil || verified.OK {
				t.Errorf("spadmin verify notices nothing: %v", err)
			}
		})
	}
}

// Nobody can pretend that values were erased to get rid of them.
func TestAnErasureCannotBePretended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	w.goesOn(i)
	w.exec("UPDATE sendpromptly.chains SET erased = 2, salt = NULL")
	w.exec("UPDATE sendpromptly.effects SET customer = '', subject = ''")
	w.exec("UPDATE sendpromptly.seals SET salts = ARRAY(SELECT NULL::bytea FROM unnest(fields)) WHERE seq <= 2")
	w.exec("UPDATE sendpromptly.entries SET error_code = NULL, error_message = NULL WHERE kind = 'failure'")
	if report, err := w.store.Evidence.Chains.Verify(t.Context()); err != nil || report.OK {
		t.Errorf("nothing was noticed: %v", err)
	}
}

func TestOnlyTheNamedPersonIsErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("evt_1", "zelda")
	w.incident("evt_2", func(a *engine.Acceptance) { a.Subject, a.Customer = "cus_zelda", "acct_zelda" }) // the other way round
	w.incident("evt_3", func(a *engine.Acceptance) { a.Subject, a.Customer = "", "" })
	for _, r := range []evidence.EraseRequest{
		{Customer: "CUS_ZELDA"},
		{Customer: "cus_zeld"},
		{Subject: "cus_zelda "},
		{Customer: "in_zelda"},
	} {
		r.Project, r.By = "default", "ada"
		if erased, err := w.store.Evidence.Erase(t.Context(), r); err != nil || erased.Effects != 0 {
			t.Errorf("%+v: %+v, %v", r, erased, err)
		}
	}
	for _, r := range []evidence.EraseRequest{
		{},
		{Customer: "a", Subject: "b"},
		{Customer: strings.Repeat("x", 256)},
		{Customer: "a\x00"},
	} {
		r.Project, r.By = "default", "ada"
		var refused *engine.FieldError
		if _, err := w.store.Evidence.Erase(t.Context(), r); !errors.As(err, &refused) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := w.store.Evidence.Erase(
		t.Context(),
		evidence.EraseRequest{Project: "elsewhere", Customer: "cus_zelda", By: "ada"},
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("another project: %v", err)
	}
	erased, err := w.store.Evidence.Erase(t.Context(), evidence.EraseRequest{Project: "default", Subject: "cus_zelda", By: "ada"})
	if err != nil || erased.Effects != 1 || erased.Open != 1 {
		t.Errorf("an open one: %+v, %v", erased, err)
	}
	w.db.Travel(time.Hour)
	w.db.RequireSound()
	w.requireChains()
}

// More than one transaction takes.
func TestErasingGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(
		`SELECT sendpromptly.accept('stripe', 'evt_' || n, 'credit_grant', customer => 'cus_many') FROM generate_series(1, 250) AS n`,
	)
	if erased, err := w.store.Evidence.Erase(
		t.Context(),
		evidence.EraseRequest{Project: "default", Customer: "cus_many", By: "ada"},
	); err != nil || erased.Effects != 250 ||
		erased.Open != 250 {
		t.Errorf("%+v, %v", erased, err)
	}
	if found := w.places("cus_many"); len(found) > 0 {
		t.Errorf("the customer still stands in %v", found)
	}
	w.requireChains()
}

// A filter that names the person in another spelling, in another field, or with letters that JSON writes in its own way
// forgets them too, and stays a filter.
func TestErasingEmptiesEveryFilterOfTheName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := `Tom & "Jerry" <t+j@example.com>`
	w.incident("evt_1", func(a *engine.Acceptance) { a.Customer = name })
	w.incident("evt_2", func(a *engine.Acceptance) { a.Customer = "cus_other" })
	for i, f := range []engine.IncidentFilter{
		{Open: true, Customer: strings.ToUpper(name)},
		{Open: true, Term: name},
		{Open: true, Customer: "cus_other", Version: "v1"},
	} {
		if _, err := w.store.Incidents.Plans.Create(
			t.Context(),
			"default",
			incidents.PlanRequest{Action: "close", Note: "x", Filter: f},
			"ada",
		); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Incidents.Views.Save(t.Context(), "default", fmt.Sprint("view ", i), f, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.store.Evidence.Erase(
		t.Context(),
		evidence.EraseRequest{Project: "default", Customer: name, By: "ada"},
	); err != nil {
		t.Fatal(err)
	}
	plans, err := w.store.Incidents.Plans.List(t.Context(), "default") // the newest first
	if err != nil || len(plans) != 3 {
		t.Fatal(plans, err)
	}
	for i, want := range []engine.IncidentFilter{
		{Open: true, Customer: "cus_other", Version: "v1"},
		{Open: true, Term: "(erased)"},
		{Open: true, Customer: "(erased)"},
	} {
		if plans[i].Filter != want {
			t.Errorf("filter %+v, want %+v", plans[i].Filter, want)
		}
	}
	if n := w.count("SELECT count(*) FROM sendpromptly.saved_views WHERE filter ILIKE '%jerry%'"); n != 0 {
		t.Errorf("%d saved views still name them", n)
	}
}
