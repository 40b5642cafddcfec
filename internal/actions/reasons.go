package actions

// Reasons is the rest of the sentence "refused: …" for each refusal that the SQL
// functions give, but for not_found.
var Reasons = map[string]string{
	"changed":       "the incident has changed: reload it",
	"in_flight":     "an attempt is in flight: wait for it or stop it first",
	"applied":       "the effect is applied",
	"closed":        "the incident is closed already",
	"not_closed":    "the incident is not closed",
	"no_repair_url": "the project has no repair URL: set one with spadmin project set --repair-url",
	"not_in_flight": "no attempt is in flight: reprocess instead",
	"being_sent":    "a callback is being sent right now",
	"answered":      "the app accepted the repair and reports the outcome itself",
}
