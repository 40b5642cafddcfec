package console

import (
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

// entriesShown limits the entries of a timeline on one page.
const entriesShown = 1000

// timeline reads an effect's entries; more says that there are further entries.
func (v *visit) timeline(id engine.EffectID) (entries []engine.Entry, more bool, err error) {
	for from := int64(0); len(entries) < entriesShown; {
		page, err := v.engine.Timeline(v.ctx(), id, from)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, page.Entries...)
		if from = page.Next; from == 0 {
			return entries, false, nil
		}
	}
	return entries, true, nil
}

// moment is an entry as the page shows it.
type moment struct {
	engine.Entry
	Says string
	// Minor entries did not change the state, and are drawn small.
	Minor bool
	// Since is the time since the previous entry, if it is worth showing.
	Since time.Duration
}

// sayings are the texts of each kind of entry.
var sayings = map[engine.Kind]string{
	"receipt":   "The app accepted the job",
	"duplicate": "The same event was received again",
	"mismatch":  "Received again with other facts",
	"success":   "The effect was applied",
	"failure":   "An attempt failed",
	"deadline":  "The deadline passed without an outcome",
	"opened":    "Incident opened",
	"reprocess": "Reprocess requested",
	"callback":  "Repair callback",
	"accepted":  "The repair endpoint queued the repair",
	"gave_up":   "The callback failed and will not be retried",
	"stopped":   "The attempt was stopped",
	"resolved":  "Incident resolved",
	"closed":    "Incident closed",
	"reopened":  "Incident reopened",
	"note":      "Note",
	"alert":     "Alert sent",
	"proof":     "Proof link issued",
	"erased":    "Personal data erased",
}

var minorKinds = map[engine.Kind]bool{
	"duplicate": true, "mismatch": true, "callback": true, "accepted": true, "note": true,
	"alert": true, "proof": true, "opened": true, "resolved": true,
}

// draw prepares entries for the page, oldest first.
func draw(entries []engine.Entry) []moment {
	moments := make([]moment, len(entries))
	for i, e := range entries {
		m := moment{Entry: e, Says: sayings[e.Kind], Minor: minorKinds[e.Kind]}
		if m.Says == "" {
			m.Says = string(e.Kind)
		}
		if e.Kind == engine.KindCallback {
			m.Says = "Repair callback: no answer"
			if e.Status > 0 {
				m.Says = fmt.Sprintf("Repair callback: answered %d", e.Status)
			}
		}
		if i > 0 && e.At.Sub(entries[i-1].At) >= time.Second {
			m.Since = e.At.Sub(entries[i-1].At)
		}
		moments[i] = m
	}
	return moments
}
