package incidents_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Support finds an effect by whatever it holds, incident or not, and by nothing
// that belongs to another project.
func TestEffectsAreFoundByAnyID(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	needs(first3(s.st.Projects.Create(t.Context(), "other", projects.Settings{}, nil, "ada")))(t)
	plain := s.accept(engine.Acceptance{
		Key: credits("evt_1"), EventType: "invoice.paid", Subject: "Acct_1", Customer: "cus_1",
		Objects: []string{"in_77", "pi_88"}, Amount: engine.Money{Minor: 500, Currency: "EUR"},
	})
	broken := s.accept(engine.Acceptance{Key: credits("evt_2"), Subject: "acct_2", Customer: "cus_1"})
	incident := s.failed(credits("evt_2"), "boom")
	attempt := needs(s.e.Reprocess(t.Context(), incident.ID, "ada"))(t)
	s.fold(func() bool { return s.count(`SELECT count(DISTINCT effect_id) FROM sendpromptly.terms`) == 2 })
	for term, want := range map[string][]engine.EffectID{
		"evt_1": {plain}, "acct_1": {plain}, "IN_77": {plain}, "pi_88": {plain}, string(plain): {plain}, " evt_1 ": {plain},
		"cus_1": {broken, plain}, string(incident.ID): {broken}, attempt.ReplayID: {broken}, "": {broken, plain}, "nobody": nil,
		lastUUID: nil, "' OR 1=1 --": nil,
	} {
		page := needs(s.st.Incidents.Effects.List(t.Context(), incidents.EffectFilter{Project: "default", Term: term}))(t)
		var got []engine.EffectID
		for _, e := range page.Effects {
			got = append(got, e.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || page.Next != "" {
			t.Errorf("%q finds %v, want %v", term, got, want)
		}
		if elsewhere := needs(
			s.st.Incidents.Effects.List(t.Context(), incidents.EffectFilter{Project: "other", Term: term}),
		)(
			t,
		); len(
			elsewhere.Effects,
		) > 0 {
			t.Errorf("%q finds effects of another project", term)
		}
	}
	e := needs(s.st.Incidents.Effects.Get(t.Context(), "default", broken))(t)
	if e.State != engine.StateReprocessing || e.Incident != incident.ID || e.Customer != "cus_1" {
		t.Errorf("effect = %+v", e)
	}
	for _, test := range []incidents.EffectFilter{
		{Project: "default", Limit: 501},
		{Project: "default", Before: "x"},
		{Project: "default", Term: "a\x00"},
	} {
		var field *engine.FieldError
		if _, err := s.st.Incidents.Effects.List(t.Context(), test); !errors.As(err, &field) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if _, err := s.st.Incidents.Effects.Get(t.Context(), "other", broken); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	if _, err := s.st.Incidents.Effects.List(
		t.Context(),
		incidents.EffectFilter{Project: "nosuch"},
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("unknown project: %v", err)
	}
}

func TestEffectPagesAreWholeAndInOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var want []engine.EffectID
	for i := range 7 {
		want = append([]engine.EffectID{s.accept(engine.Acceptance{Key: credits(fmt.Sprint("evt_", i)), Customer: "cus_1"})},
			want...)
	}
	s.fold(func() bool { return s.count(`SELECT count(*) FROM sendpromptly.terms`) == 7 })
	for _, term := range []string{"", "cus_1"} {
		var got []engine.EffectID
		f := incidents.EffectFilter{Project: "default", Term: term, Limit: 3}
		for pages := 1; ; pages++ {
			page := needs(s.st.Incidents.Effects.List(t.Context(), f))(t)
			for _, e := range page.Effects {
				got = append(got, e.ID)
			}
			if f.Before = page.Next; page.Next == "" {
				break
			}
		}
		if len(got) != len(want) { // ids of one millisecond are in random order
			t.Errorf("%q: %d effects, want %d", term, len(got), len(want))
		}
	}
}

func TestRelatedEffectsSayWhatTheyShare(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	of := s.accept(engine.Acceptance{Key: credits("evt_1"), Subject: "acct_1", Customer: "cus_1"})
	s.Travel(time.Minute)
	s.accept(engine.Acceptance{Key: engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "access_unlock"}, Subject: "acct_9"})
	s.accept(engine.Acceptance{Key: credits("evt_2"), Subject: "acct_1", Customer: "cus_2"})
	s.accept(engine.Acceptance{Key: credits("evt_3"), Subject: "acct_3", Customer: "CUS_1"})
	s.accept(engine.Acceptance{Key: credits("evt_4"), Subject: "acct_4", Objects: []string{"acct_1"}})
	s.succeed(credits("evt_2"))
	s.fold(func() bool { return s.count(`SELECT count(DISTINCT effect_id) FROM sendpromptly.terms`) == 5 })
	got := map[string]string{}
	for _, r := range needs(s.st.Incidents.Effects.Related(t.Context(), "default", of))(t) {
		got[r.EventID+" "+r.Key.Effect] = fmt.Sprintf("%t %t %t %t %s", r.SameEvent, r.SameSubject, r.SameCustomer, r.Later,
			r.State)
	}
	want := map[string]string{
		"evt_1 access_unlock": "true false false true awaiting", "evt_2 credit_grant": "false true false true applied",
		"evt_3 credit_grant": "false false true true awaiting",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("related = %v, want %v", got, want)
	}
}
