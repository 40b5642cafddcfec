// Package refusals holds what operators are told when an action on an incident
// is turned down.
package refusals

// Changed is the refusal of an action on another revision than the current one.
const Changed = "changed"

// NotFound is the refusal of an action on what the project does not have.
const NotFound = "not_found"

// Reasons completes the sentence "refused: …" for each refusal that the SQL
// functions give, but for NotFound.
var Reasons = map[string]string{
	Changed:         "the incident changed meanwhile: look again",
	"in_flight":     "an attempt is in flight: wait for it or stop it first",
	"applied":       "the effect is applied",
	"closed":        "it is closed already",
	"no_repair_url": "the project has no repair URL: set one with spadmin project set --repair-url",
	"not_in_flight": "no attempt is in flight: reprocess instead",
	"being_sent":    "a callback is being sent just now",
	"answered":      "the app took the repair on and reports the outcome itself",
}
