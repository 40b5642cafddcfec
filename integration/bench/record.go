package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// recorded are the exact costs that a test compares with the code's. They change only on purpose.
type recorded struct {
	// CallRoundTrips are the round trips by call.
	CallRoundTrips map[string]int64 `json:"call_round_trips"`
	// RoundTripsAdded, WALAdded and BytesKept are per flow, by system.
	RoundTripsAdded map[string]float64 `json:"round_trips_added"`
	WALAdded        map[string]float64 `json:"wal_added"`
	BytesKept       map[string]float64 `json:"bytes_kept"`
}

const callPrefix = "call_round_trips_"

// recordCosts writes the costs of a run.
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

// readCosts reads the recorded costs.
func readCosts(path string) (r recorded, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(body, &r)
	return r, err
}
