package console

import (
	"slices"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// undoneBy are effects that undo or replace an earlier effect: repairing the earlier one would then give back
// what was taken away.
var undoneBy = map[string][]string{
	"access_unlock":            {"access_revocation"},
	"access_revocation":        {"access_unlock"},
	"credit_grant":             {"credit_deduction"},
	"credit_deduction":         {},
	"seat_update":              {"seat_update", "subscription_state_apply", "access_revocation"},
	"subscription_state_apply": {"subscription_state_apply", "seat_update", "access_revocation"},
}

// contradicting lists the related effects that conflict with a repair: with the same subject, later, applied,
// and not known to be harmless. We know nothing about an app's own effect types, so every later one counts.
func contradicting(effect string, related []incidents.RelatedEffect) (against []incidents.RelatedEffect) {
	undoing, known := undoneBy[effect]
	for _, r := range related {
		if r.SameSubject && r.Later && r.State == engine.StateApplied && (!known || slices.Contains(undoing, r.Acceptance.Effect)) {
			against = append(against, r)
		}
	}
	return against
}
