package actions

// Reasons completes the sentence "refused: …" for each refusal of the SQL functions, except
// not_found.
var Reasons = map[string]string{
	"changed":       "the incident has changed: reload it",
	"in_flight":     "an attempt is in flight: wait for it or stop it first",
	"applied":       "the effect is applied",
	"closed":        "the incident is already closed",
	"not_closed":    "the incident is not closed",
	"no_repair_url": "the project has no repair URL: set one with spadmin project set --repair-url",
	"not_in_flight": "no attempt is in flight: reprocess instead",
	"being_sent":    "a callback is being sent: wait for its answer",
	"answered":      "the app accepted the repair and reports the outcome itself",
}
