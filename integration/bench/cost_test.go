package main

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
)

// TestExactCostsAreTheRecordedOnes holds round trips and WAL against testdata/costs.json. Where a change is meant:
//
//	go run ./bench --only calls,cost --record bench/testdata/costs.json
func TestExactCostsAreTheRecordedOnes(t *testing.T) {
	want, err := readCosts(filepath.Join("testdata", "costs.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := filepath.Join(t.TempDir(), "costs.json")
	opts := tiny(t)
	opts.only, opts.record = []string{"calls", "cost"}, found
	opts.sizes.costFlows = 500
	if err := run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	got, err := readCosts(found)
	if err != nil {
		t.Fatal(err)
	}
	for call, trips := range want.CallRoundTrips {
		if now, there := got.CallRoundTrips[call]; !there || now != trips {
			t.Errorf("%s takes %d round trips, recorded are %d", call, now, trips)
		}
	}
	for _, system := range opts.systems {
		if !flow.Ours(system) {
			continue
		}
		if now, before := got.RoundTripsAdded[system], want.RoundTripsAdded[system]; now != before {
			t.Errorf("%s adds %v round trips to a flow, recorded are %v", system, now, before)
		}
		if now, before := got.WALAdded[system], want.WALAdded[system]; math.Abs(now-before) > 0.1*before {
			t.Errorf("%s adds %.0f bytes of WAL to a flow, recorded are %.0f", system, now, before)
		}
	}
}
