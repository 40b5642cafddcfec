package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	stored "github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// look is one thing that a page of the console asks for, and how many rows of
// one table it may read at most.
type look struct {
	name string
	rows float64
	do   func() error
}

// TestPagesReadFewRows looks at the plan of everything that the pages ask for,
// on big tables: no table is scanned as a whole, and none is read beyond the
// bound that the documents name.
func TestPagesReadFewRows(t *testing.T) {
	t.Parallel()
	rows := planRows(t)
	db := enginetest.New(t)
	if _, err := db.Pool.Exec(t.Context(), fmt.Sprintf(fill, rows)); err != nil {
		t.Fatal(err)
	}
	for _, settings := range [][]string{nil, {"ANALYZE"}, {"SET plan_cache_mode = force_generic_plan"}} {
		t.Run(strings.Join(append([]string{"with"}, settings...), " "), func(t *testing.T) { lookAtAll(t, db, settings) })
	}
}

func lookAtAll(t *testing.T, db *enginetest.Database, settings []string) {
	t.Helper()
	now := look{name: "the beginning", rows: 10}
	seen := 0
	pool := explained(t, db, settings, func(text string) {
		var p plan
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("plan: %v", err)
			return
		}
		if strings.Contains(p.Query, "sendpromptly.") {
			seen++
			judgeLook(t, now, p, p.Root)
		}
	})
	e, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := rooms.Open(pool, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, now = range looks(t, e, st) {
			if err := now.do(); err != nil {
				t.Fatalf("%s: %v", now.name, err)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d plans were seen: auto_explain does not report", seen)
	}
}

func looks(t *testing.T, e *engine.Engine, st *rooms.Rooms) (all []look) {
	t.Helper()
	ctx := t.Context()
	incident, err := enginetest.IncidentOf(ctx, e, engine.Key{Provider: "stripe", EventID: "evt_7", Effect: "credit_grant"})
	if err != nil {
		t.Fatal(err)
	}
	const page = 51
	for name, term := range map[string]string{
		"newest":  "",
		"subject": "acct_7",
		"event":   "evt_7",
		"effect":  string(incident.EffectID),
		"nothing": "nobody",
	} {
		all = append(all, look{"effects: " + name, 2 * page, func() error {
			found, err := st.Incidents.Effects.List(ctx, stored.EffectFilter{Project: "default", Term: term})
			if err == nil && (len(found.Effects) == 0) != (term == "nobody") {
				err = fmt.Errorf("%d effects", len(found.Effects))
			}
			return err
		}})
	}
	for name, f := range map[string]engine.IncidentFilter{
		"rare version": {Version: "rare", Open: true}, "rare error": {Text: "no such error"},
		"rare cause": {Cause: engine.CauseMissing}, "an old span": {
			OpenedBefore: time.Now().Add(-48 * time.Hour),
			Provider:     "stripe",
		},
	} {
		all = append(all, look{"incidents: " + name, 10_000, func() error { _, err := e.Incidents(ctx, f); return err }})
		all = append(
			all,
			look{
				"count: " + name,
				100_000,
				func() error { _, _, err := st.Incidents.Count(ctx, "default", f, stored.CountCap); return err },
			},
		)
		all = append(
			all,
			look{
				"quick count: " + name,
				stored.QuickCount,
				func() error { _, _, err := st.Incidents.Count(ctx, "default", f, stored.QuickCount); return err },
			},
		)
	}
	for name, f := range map[string]engine.IncidentFilter{
		"open of a provider":   {Open: true, Provider: "stripe", Effect: "credit_grant"},
		"all of an event type": {EventType: "invoice.paid"},
	} {
		all = append(all, look{"quick count: " + name, stored.QuickCount / 5, func() error {
			n, capped, err := st.Incidents.Count(ctx, "default", f, stored.QuickCount)
			if err == nil && (n != stored.QuickCount/10 || !capped) {
				err = fmt.Errorf("%d, %t", n, capped)
			}
			return err
		}})
	}
	return append(
		all,
		look{"one effect", page, func() error { _, err := st.Incidents.Effects.Get(ctx, "default", incident.EffectID); return err }},
		look{
			"related effects",
			2 * page,
			func() error { _, err := st.Incidents.Effects.Related(ctx, "default", incident.EffectID); return err },
		},
		look{"attempts", 100, func() error { _, err := st.Incidents.Attempts(ctx, "default", incident.ID); return err }},
		look{"count: open", 100_000, func() error {
			_, _, err := st.Incidents.Count(ctx, "default", engine.IncidentFilter{Open: true}, stored.CountCap)
			return err
		}},
		look{"quick count: open", stored.QuickCount, func() error {
			_, _, err := st.Incidents.Count(ctx, "default", engine.IncidentFilter{Open: true}, stored.QuickCount)
			return err
		}},
		look{"overview", 100_001, func() error { _, err := st.Incidents.Statistics.Overview(ctx, "default"); return err }},
		look{"statistics", 51_000, func() error {
			_, err := st.Incidents.Statistics.Series(ctx, "default", 24*time.Hour, time.Hour)
			return err
		}},
		look{"plans", page, func() error { _, err := st.Incidents.Plans.List(ctx, "default"); return err }},
		look{"run plans", page, func() error { _, err := st.Incidents.Plans.Run(ctx); return err }},
		look{"views", 200, func() error { _, err := st.Incidents.Views.List(ctx, "default"); return err }},
	)
}

func judgeLook(t *testing.T, l look, p plan, n planNode) {
	t.Helper()
	if n.Type == "Seq Scan" && !small[n.Relation] && n.Relation != "saved_views" && n.Relation != "" {
		t.Errorf("%s\nscans %s as a whole in:\n%s", l.name, n.Relation, strings.TrimSpace(p.Query))
	}
	if read := (n.Rows + n.Removed) * n.Loops; n.Relation != "" && !small[n.Relation] && read > l.rows {
		t.Errorf("%s\nreads %.0f rows of %s, at most %.0f may be:\n%s", l.name, read, n.Relation, l.rows, strings.TrimSpace(p.Query))
	}
	for _, sub := range n.Plans {
		judgeLook(t, l, p, sub)
	}
}
