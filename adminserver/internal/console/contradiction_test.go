package console

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

func TestARepairIsContradictedByWhatUndidIt(t *testing.T) {
	t.Parallel()
	later := func(effect string, state engine.State) incidents.RelatedEffect {
		return incidents.RelatedEffect{
			Effect:      incidents.Effect{Acceptance: engine.Acceptance{Key: engine.Key{Effect: effect}}, State: state},
			SameSubject: true,
			Later:       true,
		}
	}
	earlier := later("access_revocation", engine.StateApplied)
	earlier.Later = false
	for _, c := range []struct {
		effect  string
		related incidents.RelatedEffect
		against bool
	}{
		{"access_unlock", later("access_revocation", engine.StateApplied), true},
		{"access_unlock", later("access_revocation", engine.StateFailed), false},
		{"access_unlock", earlier, false},
		{"credit_grant", later("credit_grant", engine.StateApplied), false},
		{"seat_update", later("seat_update", engine.StateApplied), true},
		{"of_their_own", later("anything", engine.StateApplied), true},
	} {
		if got := len(contradicting(c.effect, []incidents.RelatedEffect{c.related})) == 1; got != c.against {
			t.Errorf("%s after %s %s: %v", c.related.Acceptance.Effect, c.effect, c.related.State, got)
		}
	}
}
