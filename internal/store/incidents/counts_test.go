package incidents_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// Every filter selects what it says, in the list and in the count alike.
func TestEveryFilterListsAndCountsTheSame(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.accept(
		engine.Acceptance{
			Key:       credits("evt_1"),
			EventType: "invoice.paid",
			Subject:   "Acct_1",
			Customer:  "cus_1",
			Version:   "v1",
			Objects:   []string{"in_1"},
		},
	)
	s.accept(engine.Acceptance{
		Key: engine.Key{Provider: "shopify", EventID: "evt_2", Effect: "access_unlock"}, EventType: "orders/paid",
		Subject: "acct_2", Customer: "cus_1", Version: "v2",
	})
	s.accept(engine.Acceptance{Key: credits("evt_3"), Subject: "acct_3", Timeout: time.Minute})
	one := s.failed(credits("evt_1"), "card_declined by the ledger")
	two := s.failed(engine.Key{Provider: "shopify", EventID: "evt_2", Effect: "access_unlock"}, "timeout")
	s.Travel(2 * time.Minute)
	three := s.RequireIncident(credits("evt_3"), engine.CauseMissing)
	need(t, 0, s.e.CloseIncident(t.Context(), two.ID, "ada", "refunded"))
	s.fold(func() bool { return s.count(`SELECT count(DISTINCT effect_id) FROM sendpromptly.terms`) == 3 })
	for name, test := range map[string]struct {
		filter engine.IncidentFilter
		want   []engine.IncidentID
	}{
		"nothing":          {engine.IncidentFilter{}, []engine.IncidentID{three.ID, two.ID, one.ID}},
		"open":             {engine.IncidentFilter{Open: true}, []engine.IncidentID{three.ID, one.ID}},
		"state":            {engine.IncidentFilter{State: engine.StateClosed}, []engine.IncidentID{two.ID}},
		"cause":            {engine.IncidentFilter{Cause: engine.CauseMissing}, []engine.IncidentID{three.ID}},
		"provider":         {engine.IncidentFilter{Provider: "shopify"}, []engine.IncidentID{two.ID}},
		"event type":       {engine.IncidentFilter{EventType: "invoice.paid"}, []engine.IncidentID{one.ID}},
		"effect":           {engine.IncidentFilter{Effect: "credit_grant", Open: true}, []engine.IncidentID{three.ID, one.ID}},
		"version":          {engine.IncidentFilter{Version: "v2"}, []engine.IncidentID{two.ID}},
		"term: object":     {engine.IncidentFilter{Term: "IN_1"}, []engine.IncidentID{one.ID}},
		"term: event":      {engine.IncidentFilter{Term: "evt_3"}, []engine.IncidentID{three.ID}},
		"subject":          {engine.IncidentFilter{Subject: "acct_1"}, []engine.IncidentID{one.ID}},
		"subject is whole": {engine.IncidentFilter{Subject: "acct"}, nil},
		"customer":         {engine.IncidentFilter{Customer: "cus_1"}, []engine.IncidentID{two.ID, one.ID}},
		"customer, open":   {engine.IncidentFilter{Customer: "CUS_1", Open: true}, []engine.IncidentID{one.ID}},
		"not a customer":   {engine.IncidentFilter{Customer: "acct_1"}, nil},
		"both":             {engine.IncidentFilter{Customer: "cus_1", Subject: "acct_2"}, []engine.IncidentID{two.ID}},
		"text: error":      {engine.IncidentFilter{Text: "DECLINED by"}, []engine.IncidentID{one.ID}},
		"text: code":       {engine.IncidentFilter{Text: "e_ledger", Open: true}, []engine.IncidentID{one.ID}},
		"text: term":       {engine.IncidentFilter{Text: "acct_2"}, []engine.IncidentID{two.ID}},
		"text: pattern":    {engine.IncidentFilter{Text: "%"}, nil},
		"after":            {engine.IncidentFilter{OpenedAfter: three.OpenedAt}, []engine.IncidentID{three.ID}},
		"before":           {engine.IncidentFilter{OpenedBefore: three.OpenedAt}, []engine.IncidentID{two.ID, one.ID}},
		"between": {
			engine.IncidentFilter{OpenedAfter: one.OpenedAt.Add(time.Second), OpenedBefore: three.OpenedAt},
			nil,
		},
	} {
		page := needs(s.e.Incidents(t.Context(), test.filter))(t)
		var got []engine.IncidentID
		for _, i := range page.Incidents {
			got = append(got, i.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: listed %v, want %v", name, got, test.want)
		}
		n, capped, err := s.st.Incidents.Count(t.Context(), "default", test.filter, incidents.CountCap)
		if err != nil || n != len(test.want) || capped {
			t.Errorf("%s: counted %d (capped %t), want %d: %v", name, n, capped, len(test.want), err)
		}
	}
	if _, _, err := s.st.Incidents.Count(
		t.Context(),
		"nosuch",
		engine.IncidentFilter{},
		incidents.CountCap,
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("unknown project: %v", err)
	}
	var field *engine.FieldError
	for _, f := range []engine.IncidentFilter{{Text: "a\x00"}, {Limit: -1}, {OpenedAfter: time.Unix(1<<60, 0)}, {Before: "x"}} {
		if _, err := s.e.Incidents(t.Context(), f); !errors.As(err, &field) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// A state selects what shows it: an incident that was closed stays closed, whatever comes later.
func TestAClosedIncidentIsListedAsClosedAfterALateSuccess(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	made := map[string]engine.Incident{}
	for _, event := range []string{"evt_open", "evt_resolved", "evt_closed", "evt_late"} {
		s.accept(engine.Acceptance{Key: credits(event)})
		made[event] = s.failed(credits(event), "boom")
	}
	need(t, 0, s.e.CloseIncident(t.Context(), made["evt_closed"].ID, "ada", "refunded"))
	need(t, 0, s.e.CloseIncident(t.Context(), made["evt_late"].ID, "ada", "refunded"))
	s.succeed(credits("evt_late"))
	s.succeed(credits("evt_resolved"))
	for state, want := range map[engine.State][]string{
		engine.StateFailed:  {"evt_open"},
		engine.StateApplied: {"evt_resolved"},
		engine.StateClosed:  {"evt_closed", "evt_late"},
	} {
		filters := []engine.IncidentFilter{{State: state}, {State: state, Provider: "stripe"}}
		if len(want) == 1 {
			filters = append(filters, engine.IncidentFilter{State: state, Term: want[0]})
		}
		for _, filter := range filters {
			var got []string
			for _, i := range needs(s.e.Incidents(t.Context(), filter))(t).Incidents {
				got = append(got, i.EventID)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%+v lists %v, want %v", filter, got, want)
			}
			n, _, err := s.st.Incidents.Count(t.Context(), "default", filter, incidents.CountCap)
			if err != nil || n != len(want) {
				t.Errorf("%+v: counted %d, want %d: %v", filter, n, len(want), err)
			}
		}
	}
	s.RequireSound()
}

// A page that looked at its 10,000 incidents in vain says where to go on, and
// the pages together find what is there, once.
func TestARareFilterGoesOnOverShortPages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.exec(
		`WITH made AS (SELECT n, sendpromptly.uuid7(clock_timestamp() - interval '1 hour' + n * interval '1 ms') AS id FROM
		generate_series(1, 25000) AS n),
		effects AS (INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, project_id, event_id, provider, effect, version)
		  SELECT id, now(), now(), 1, 'evt_' || n, 's', 'g', CASE WHEN n IN (1, 12000) THEN 'rare' ELSE 'v1' END FROM made)
		INSERT INTO sendpromptly.incidents (incident_id, effect_id, project_id, state, cause, opened_at) SELECT id, id, 1,
		'failed', 'failed', now() FROM made`,
	)
	f, found, pages := engine.IncidentFilter{Version: "rare", Open: true}, 0, 0
	for {
		page := needs(s.e.Incidents(t.Context(), f))(t)
		found += len(page.Incidents)
		if pages++; page.Next == "" {
			break
		}
		f.Before = page.Next
	}
	if found != 2 || pages != 3 {
		t.Errorf("%d incidents on %d pages, want 2 on 3", found, pages)
	}
	for _, test := range []struct {
		filter engine.IncidentFilter
		look   int
		n      int
		capped bool
	}{
		{engine.IncidentFilter{Open: true}, incidents.CountCap, 25000, false},
		{engine.IncidentFilter{Open: true}, incidents.QuickCount, 10000, true},
		{engine.IncidentFilter{Version: "rare"}, incidents.CountCap, 0, true},
		{engine.IncidentFilter{Version: "rare"}, incidents.QuickCount, 0, true},
		{engine.IncidentFilter{Version: "v1"}, incidents.CountCap, 10000, true},
		{engine.IncidentFilter{Version: "v1"}, incidents.QuickCount, 1000, true},
	} {
		n, capped, err := s.st.Incidents.Count(t.Context(), "default", test.filter, test.look)
		if n != test.n || capped != test.capped || err != nil {
			t.Errorf("%+v: %d, %t, %v", test, n, capped, err)
		}
	}
}
