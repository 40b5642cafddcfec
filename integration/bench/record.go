package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// recorded are exact costs that a test holds the code against. They change only when somebody means them to.
type recorded struct {
	// CallRoundTrips is by call.
	CallRoundTrips map[string]int64 `json:"call_round_trips"`
	// RoundTripsAdded, WALAdded and BytesKept are a flow's, by system.
	RoundTripsAdded map[string]float64 `json:"round_trips_added"`
	WALAdded        map[string]float64 `json:"wal_added"`
	BytesKept       map[string]float64 `json:"bytes_kept"`
}

const callPrefix = "call_round_trips_"

// recordCosts writes what a run found.
func recordCosts(from *report.Report, path string) error {
	r := recorded{
		CallRoundTrips:  map[string]int64{},
		RoundTripsAdded: map[string]float64{},
		WALAdded:        map[string]float64{},
		BytesKept:       map[string]float64{},
	}
	for _, row := range from.Rows {
		if call, found := strings.CutPrefix(row.Name, callPrefix); found {
			r.CallRoundTrips[call] = int64(row.Value)
		}
		if !flow.Ours(row.System) {
			continue
		}
		switch row.Name {
		case "round_trips_added":
			r.RoundTripsAdded[row.System] = row.Value
		case "wal_added":
			r.WALAdded[row.System] = row.Value
		case "bytes_kept":
			r.BytesKept[row.System] = row.Value
		}
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(body, '\n'), 0o644)
}

// readCosts reads them back.
func readCosts(path string) (r recorded, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(body, &r)
	return r, err
}
