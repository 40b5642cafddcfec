package main

import (
	"math"
	"time"
)

// within makes a full run shorter: every size shrinks by the same share, but none below a quick run's. The report's
// settings include the resulting sizes, so that nobody mistakes the figures for those of a full run.
func (o *options) within(budget time.Duration) {
	full := 0.0
	for _, p := range parts {
		full += p.seconds(options{sizes: fullSizes, share: 1})
	}
	o.share = min(1, budget.Seconds()/full)
	s := &o.sizes
	s.costFlows = scaled(fullSizes.costFlows, quickSizes.costFlows, o.share)
	s.flowBudget = scaled(fullSizes.flowBudget, quickSizes.flowBudget, o.share)
	for i := range s.history {
		s.history[i] = scaled(fullSizes.history[i], quickSizes.history[i], o.share)
	}
	s.openings = scaled(fullSizes.openings, quickSizes.openings, o.share)
	s.owed = scaled(fullSizes.owed, quickSizes.owed, o.share)
	s.dueSeconds = scaled(fullSizes.dueSeconds, quickSizes.dueSeconds, o.share)
	s.bulkSlices = scaled(fullSizes.bulkSlices, quickSizes.bulkSlices, o.share)
	s.listEffects = scaled(fullSizes.listEffects, quickSizes.listEffects, o.share)
	s.listIncident = scaled(fullSizes.listIncident, quickSizes.listIncident, o.share)
	s.listRounds = scaled(fullSizes.listRounds, quickSizes.listRounds, o.share)
	s.pageRounds = scaled(fullSizes.pageRounds, quickSizes.pageRounds, o.share)
	s.callbacks = scaled(fullSizes.callbacks, quickSizes.callbacks, o.share)
	s.seal = scaled(fullSizes.seal, quickSizes.seal, o.share)
	s.sealFor = scaled(fullSizes.sealFor, quickSizes.sealFor, o.share)
	if o.slice == time.Second && o.share < 0.5 {
		o.slice /= 2 // the same few seconds per system and setting say more in many rounds than in few
	}
}

// scaled is a share of a full run's size.
func scaled[N ~int | ~int64](full, quick N, share float64) N {
	return max(quick, N(math.Round(float64(full)*share)))
}

// spent says whether a run with a budget has used it up. Later parts are skipped, except verify.
func (o options) spent(started time.Time) bool {
	return o.budget > 0 && time.Since(started) > o.budget
}
