// Package lifecycle is the specification of an effect's states: one table. The
// SQL functions in sql/functions implement it, a test runs each cell on Postgres,
// `spadmin verify` checks every timeline against it, and docs/lifecycle.md is
// generated from it.
package lifecycle

// The states of an effect. None means that no effect is known.
const (
	Awaiting     = "awaiting"
	Applied      = "applied"
	Failed       = "failed"
	Missing      = "missing"
	Reprocessing = "reprocessing"
	Closed       = "closed"
)

// The signals that move an effect. The failure and gave-up signals of an
// attempt that is no longer the current one are signals of their own: they move
// nothing. So is the reopening of an incident whose cause is not failed: it leads
// to another state.
const (
	Success       = "success"
	Failure       = "failure"
	OldFailure    = "failure of an old attempt"
	Deadline      = "deadline"
	Reprocess     = "reprocess"
	GaveUp        = "gave up"
	OldGaveUp     = "gave up of an old attempt"
	Stop          = "stop"
	Close         = "close"
	Reopen        = "reopen"
	ReopenMissing = "reopen, cause missing or unreceived"
)

// States lists the states in the order in which they are explained.
var States = []string{Awaiting, Failed, Missing, Reprocessing, Applied, Closed}

// Signals lists the signals in the order in which they are explained.
var Signals = []string{Success, Failure, OldFailure, Deadline, Reprocess, GaveUp, OldGaveUp, Stop, Close, Reopen, ReopenMissing}

// Incident is what a transition does to the incident.
type Incident string

// An incident is opened once and may be reopened; it is open exactly while its
// effect is failed, missing or reprocessing.
const (
	Untouched Incident = ""
	Opens     Incident = "open"
	Resolves  Incident = "resolve"
	Closes    Incident = "close"
	Reopens   Incident = "reopen"
)

// Cell is one transition: what a signal does to an effect in a state.
type Cell struct {
	State, Signal string
	// Next is the state afterwards; the same state where nothing moves.
	Next string
	// Incident is what happens to the incident.
	Incident Incident
	// Refusal says why an operator's signal is refused. It leaves no entry.
	Refusal string
	// Why is the reason for a cell that surprises.
	Why string
}

// Moves says whether the signal changes the state.
func (c Cell) Moves() bool { return c.Refusal == "" && c.Next != c.State }

// Table is the lifecycle. A combination that is not listed cannot happen.
var Table = []Cell{
	{State: Awaiting, Signal: Success, Next: Applied},
	{State: Awaiting, Signal: Failure, Next: Failed, Incident: Opens},
	{State: Awaiting, Signal: Deadline, Next: Missing, Incident: Opens},
	{State: Awaiting, Signal: Reprocess, Next: Awaiting, Refusal: "not_found", Why: "there is no incident yet"},
	{State: Awaiting, Signal: Close, Next: Awaiting, Refusal: "not_found", Why: "there is no incident yet"},
	{State: Awaiting, Signal: Reopen, Next: Awaiting, Refusal: "not_found", Why: "there is no incident yet"},

	{State: Failed, Signal: Success, Next: Applied, Incident: Resolves},
	{State: Failed, Signal: Failure, Next: Failed},
	{State: Failed, Signal: OldFailure, Next: Failed},
	{State: Failed, Signal: Reprocess, Next: Reprocessing, Why: "a new attempt"},
	{State: Failed, Signal: OldGaveUp, Next: Failed},
	{State: Failed, Signal: Stop, Next: Failed},
	{State: Failed, Signal: Close, Next: Closed, Incident: Closes},
	{State: Failed, Signal: Reopen, Next: Failed, Refusal: "not_closed"},

	{State: Missing, Signal: Success, Next: Applied, Incident: Resolves, Why: "late, but the customer has it"},
	{State: Missing, Signal: Failure, Next: Failed, Why: "the cause changes"},
	{State: Missing, Signal: OldFailure, Next: Failed, Why: "the cause changes"},
	{State: Missing, Signal: Reprocess, Next: Reprocessing, Why: "a new attempt"},
	{State: Missing, Signal: OldGaveUp, Next: Missing},
	{State: Missing, Signal: Stop, Next: Missing},
	{State: Missing, Signal: Close, Next: Closed, Incident: Closes},
	{State: Missing, Signal: Reopen, Next: Missing, Refusal: "not_closed"},

	{State: Reprocessing, Signal: Success, Next: Applied, Incident: Resolves, Why: "with any replay id or none"},
	{State: Reprocessing, Signal: Failure, Next: Failed, Why: "of the current attempt, or without a replay id"},
	{State: Reprocessing, Signal: OldFailure, Next: Reprocessing},
	{State: Reprocessing, Signal: Deadline, Next: Missing, Why: "the attempt's own due time"},
	{State: Reprocessing, Signal: Reprocess, Next: Reprocessing, Refusal: "in_flight", Why: "one attempt is in flight"},
	{State: Reprocessing, Signal: GaveUp, Next: Failed},
	{State: Reprocessing, Signal: OldGaveUp, Next: Reprocessing},
	{State: Reprocessing, Signal: Stop, Next: Failed},
	{State: Reprocessing, Signal: Close, Next: Reprocessing, Refusal: "in_flight", Why: "stop the attempt first"},
	{State: Reprocessing, Signal: Reopen, Next: Reprocessing, Refusal: "not_closed"},

	{State: Applied, Signal: Success, Next: Applied},
	{State: Applied, Signal: Failure, Next: Applied, Why: "the success committed with the effect and is the truth"},
	{State: Applied, Signal: OldFailure, Next: Applied},
	{State: Applied, Signal: Reprocess, Next: Applied, Refusal: "applied"},
	{State: Applied, Signal: OldGaveUp, Next: Applied},
	{State: Applied, Signal: Stop, Next: Applied},
	{State: Applied, Signal: Close, Next: Applied, Refusal: "applied"},
	{State: Applied, Signal: Reopen, Next: Applied, Refusal: "not_closed"},

	{State: Closed, Signal: Success, Next: Applied, Why: "the incident stays closed with its note"},
	{State: Closed, Signal: Failure, Next: Closed},
	{State: Closed, Signal: OldFailure, Next: Closed},
	{State: Closed, Signal: Reprocess, Next: Reprocessing, Incident: Reopens, Why: "a new attempt"},
	{State: Closed, Signal: OldGaveUp, Next: Closed},
	{State: Closed, Signal: Stop, Next: Closed},
	{State: Closed, Signal: Close, Next: Closed, Refusal: "closed"},
	{State: Closed, Signal: Reopen, Next: Failed, Incident: Reopens, Why: "the state is its cause, and the alert is due again"},
	{
		State:    Closed,
		Signal:   ReopenMissing,
		Next:     Missing,
		Incident: Reopens,
		Why:      "the state is its cause, and the alert is due again",
	},
}

// entryKinds maps each signal to the kind of its timeline entry.
var entryKinds = map[string]string{
	Success: "success", Failure: "failure", OldFailure: "failure", Deadline: "deadline", Reprocess: "reprocess",
	GaveUp: "gave_up", OldGaveUp: "callback", Stop: "stopped", Close: "closed",
	Reopen: "reopened", ReopenMissing: "reopened",
}

// EntryKind returns the kind of the timeline entry that a signal leaves.
func EntryKind(signal string) string { return entryKinds[signal] }

// Move is one entry that moves an effect: from a state, by a kind of entry, to a state.
type Move struct{ From, Kind, To string }

// Moves lists every legal move, including the receipt, so that timelines can be
// checked.
func Moves() []Move {
	moves := []Move{{From: "", Kind: "receipt", To: Awaiting}}
	for _, c := range Table {
		if c.Moves() {
			moves = append(moves, Move{From: c.State, Kind: EntryKind(c.Signal), To: c.Next})
		}
	}
	return moves
}

// Find returns the cell of a state and a signal. ok is false if the signal cannot
// reach an effect in that state.
func Find(state, signal string) (cell Cell, ok bool) {
	for _, c := range Table {
		if c.State == state && c.Signal == signal {
			return c, true
		}
	}
	return Cell{}, false
}
