package lifecycle

import (
	"os"
	"slices"
	"testing"
)

func open(state string) bool { return state == Failed || state == Missing || state == Reprocessing }

func TestEachStateAndSignalHaveOneCellAtMost(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, c := range Table {
		at := [2]string{c.State, c.Signal}
		if seen[at] {
			t.Errorf("%s: listed twice", at)
		}
		seen[at] = true
		if !slices.Contains(States, c.State) || !slices.Contains(States, c.Next) || !slices.Contains(Signals, c.Signal) {
			t.Errorf("%s: a state or signal that is not listed", at)
		}
		if EntryKind(c.Signal) == "" {
			t.Errorf("%s: the signal has no kind of entry", at)
		}
	}
}

// What comes from outside may come at any time, so it needs an answer in every
// state. The engine's own signals reach only those that wait for them.
func TestSignalsFromOutsideAreAnsweredInEveryState(t *testing.T) {
	reaches := map[string][]string{
		Success: States, Failure: States, Reprocess: States, Close: States, Reopen: States, ReopenMissing: {Closed},
		OldFailure: withIncident(), OldGaveUp: withIncident(), Stop: withIncident(),
		Deadline: {Awaiting, Reprocessing}, GaveUp: {Reprocessing},
	}
	for _, signal := range Signals {
		for _, state := range States {
			_, listed := Find(state, signal)
			if want := slices.Contains(reaches[signal], state); listed != want {
				t.Errorf("%s in %s: listed = %t, want %t", signal, state, listed, want)
			}
		}
	}
}

// withIncident are the states in which there may have been an attempt.
func withIncident() []string {
	return slices.DeleteFunc(slices.Clone(States), func(s string) bool { return s == Awaiting })
}

func TestAnIncidentIsOpenExactlyInTheOpenStates(t *testing.T) {
	for _, c := range Table {
		want := Untouched
		switch {
		case c.Refusal != "":
			if c.Next != c.State {
				t.Errorf("%s in %s: refused, and still moves", c.Signal, c.State)
			}
		case c.State == Awaiting && open(c.Next):
			want = Opens
		case open(c.State) && c.Next == Applied:
			want = Resolves
		case open(c.State) && c.Next == Closed:
			want = Closes
		case c.State == Closed && open(c.Next):
			want = Reopens
		}
		if c.Incident != want {
			t.Errorf("%s in %s goes to %s: the incident's part is %q, want %q", c.Signal, c.State, c.Next, c.Incident, want)
		}
	}
}

func TestSuccessIsTheOnlyWayToAppliedAndAppliedIsFinal(t *testing.T) {
	for _, c := range Table {
		if c.Next == Applied && c.State != Applied && c.Signal != Success {
			t.Errorf("%s in %s leads to applied", c.Signal, c.State)
		}
		if c.State == Applied && c.Moves() {
			t.Errorf("%s leaves applied", c.Signal)
		}
		if c.Signal == Success && (c.Next != Applied || c.Refusal != "") {
			t.Errorf("a success in %s leads to %s", c.State, c.Next)
		}
	}
}

func TestEveryStateIsReached(t *testing.T) {
	reached := []string{Awaiting}
	for range States {
		for _, c := range Table {
			if slices.Contains(reached, c.State) && c.Moves() && !slices.Contains(reached, c.Next) {
				reached = append(reached, c.Next)
			}
		}
	}
	if len(reached) != len(States) {
		t.Errorf("reached from awaiting: %v", reached)
	}
}

func TestMovesAreTheCellsThatMove(t *testing.T) {
	moves := Moves()
	if moves[0] != (Move{From: "", Kind: "receipt", To: Awaiting}) {
		t.Errorf("the first move is %+v", moves[0])
	}
	for _, c := range Table {
		if got := slices.Contains(moves, Move{c.State, EntryKind(c.Signal), c.Next}); got != c.Moves() {
			t.Errorf("%s in %s: a move = %t", c.Signal, c.State, got)
		}
	}
}

func TestTheDocumentIsGeneratedFromTheTable(t *testing.T) {
	committed, err := os.ReadFile("../../docs/lifecycle.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != Markdown() {
		t.Error("docs/lifecycle.md is not what the table gives: run go generate ./internal/lifecycle")
	}
	for _, s := range States {
		if meanings[s] == "" {
			t.Errorf("state %s has no meaning", s)
		}
	}
	for _, s := range Signals {
		if origins[s] == "" {
			t.Errorf("signal %s has no origin", s)
		}
	}
}
