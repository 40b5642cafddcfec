package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
)

// The count beside the list is exact where the page saw all there is, and says
// "at least" where it stopped.
func TestTheCountBesideTheListIsTrueAndBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := func(n int, provider string) string {
		return fmt.Sprintf(`WITH made AS (SELECT n, gen_random_uuid() AS made_id FROM generate_series(1, %d) AS n),
			effects AS (INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, project_id, event_id, provider, effect)
			  SELECT made_id, now(), now(), q.project_id, '%s_' || n, sendpromptly.short('%[2]s'), sendpromptly.short('credit_grant')
			  FROM made, sendpromptly.projects AS q WHERE q.name = 'billing')
			INSERT INTO sendpromptly.incidents (incident_id, effect_id, project_id, state, cause, opened_at)
			SELECT made_id, made_id, q.project_id, 'failed', 'failed', now() FROM made, sendpromptly.projects AS q
			WHERE q.name = 'billing'`, n, provider)
	}
	for provider, n := range map[string]int{"stripe": 1200, "shopify": 60, "paypal": 3} {
		if _, err := s.db.Pool.Exec(t.Context(), made(n, provider)); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"":                   ">1\u202f263 incidents<",
		"&provider=stripe":   ">At least 1\u202f000 incidents<",
		"&provider=shopify":  ">60 incidents<",
		"&provider=paypal":   ">3 incidents<",
		"&provider=ebay":     ">0 incidents<",
		"&show=all":          ">1\u202f263 incidents<",
		"&show=resolved":     ">0 incidents<",
		"&effect=nothing":    ">0 incidents<",
		"&q=shopify_7":       ">1 incident<",
		"&cause=missing":     ">0 incidents<",
		"&customer=somebody": ">0 incidents<",
	} {
		page := s.get(operator, "/incidents?project=billing"+query)
		if _, line, _ := strings.Cut(page, `id="matching"`); !strings.Contains(line[:80], want) {
			t.Errorf("%q: %.80s, want %s", query, line, want)
		}
	}
	n, capped, err := s.store.Incidents.Count(t.Context(), "billing", engine.IncidentFilter{Provider: "stripe"}, 100_000)
	if n != 1200 || capped || err != nil {
		t.Errorf("asked by the API: %d, %t, %v", n, capped, err)
	}
}

// An incident is resolved, not applied; one that was closed before its success is listed as closed, and shown so.
func TestTheListShowsTheStateThatItSelects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incidents := map[string]engine.Incident{}
	for _, event := range []string{"evt_resolved", "evt_late"} {
		k := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
		incidents[event] = s.fail("billing", engine.Acceptance{Key: k}, "boom")
	}
	late := "/incidents/" + string(incidents["evt_late"].ID)
	s.post(operator, late+"/close", url.Values{"revision": {"1"}, "note": {"refunded"}})
	for event := range incidents {
		const succeed = "SELECT sendpromptly.succeed('stripe', $1, project => 'billing')"
		if _, err := s.db.Pool.Exec(t.Context(), succeed, event); err != nil {
			t.Fatal(err)
		}
	}
	for show, want := range map[string]string{"resolved": "evt_resolved", "closed": "evt_late"} {
		page := s.get(viewer, "/incidents?project=billing&show="+show)
		s.has(page, ">1 incident<", `<span class="state `+show+`">`+show+`</span>`, string(incidents[want].ID))
	}
	s.has(
		s.get(viewer, late+"?project=billing"), `<span class="state closed">closed</span>`,
		"the effect was applied after the incident was closed",
	)
}
