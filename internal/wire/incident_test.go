package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

func TestAnIncidentIsResolvedWhereItsEffectIsApplied(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		incident          engine.Incident
		state, resolution string
	}{
		"open":                 {engine.Incident{State: engine.StateFailed}, "failed", ""},
		"in flight":            {engine.Incident{State: engine.StateReprocessing, DueAt: now}, "reprocessing", ""},
		"resolved":             {engine.Incident{State: engine.StateApplied, ResolvedAt: now}, "resolved", "applied"},
		"closed":               {engine.Incident{State: engine.StateClosed, ClosedAt: now}, "closed", ""},
		"a success afterwards": {engine.Incident{State: engine.StateApplied, ClosedAt: now}, "closed", "applied"},
	} {
		t.Run(name, func(t *testing.T) {
			made := wire.NewIncident("default", test.incident)
			if made.State != test.state || made.Resolution != test.resolution {
				t.Errorf("it is %s, %q, want %s, %q", made.State, made.Resolution, test.state, test.resolution)
			}
			if state, resolution := wire.StateAfter(test.incident, test.incident.State); state != test.state ||
				resolution != test.resolution {
				t.Errorf("after a note it is %s, %q", state, resolution)
			}
		})
	}
	if wire.State("resolved") != engine.StateApplied || wire.State("closed") != engine.StateClosed ||
		wire.StateName(engine.StateApplied) != "resolved" {
		t.Error("a filter does not select resolved incidents")
	}
}

func TestAnAmountIsNullWhereItIsUnknownAndZeroWhereItIsZero(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]engine.Money{
		`"amount":null`: {},
		`"amount":0,`:   {Currency: "EUR"},
		`"amount":-5,`:  {Minor: -5},
	} {
		text, err := json.Marshal(wire.NewReceipt("default", "", engine.Acceptance{Amount: m}, time.Time{}, time.Time{}))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%+v is written as %s, %v", m, text, err)
		}
	}
}
