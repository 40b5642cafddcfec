package evidence

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/sendpromptly/sendpromptly/internal/chain"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// The kinds of [ChainFinding].
const (
	// FindingAltered is an entry that was changed, or its commitments were.
	FindingAltered = "altered"
	// FindingRemoved is an entry that is gone.
	FindingRemoved = "removed"
	// FindingMoved is an entry that was moved to another place.
	FindingMoved = "moved"
	// FindingTruncated is a chain that does not end at its head.
	FindingTruncated = "truncated"
	// FindingProof is a chain that conflicts with an issued proof.
	FindingProof = "proof"
)

// ChainFinding is one problem of a chain.
type ChainFinding struct {
	Project  string `json:"project"`
	EffectID string `json:"effect_id"`
	// Seq is the entry, or 0 for the whole chain.
	Seq  int    `json:"seq,omitempty"`
	Kind string `json:"kind"`
	// JTI is the proof that conflicts with the chain.
	JTI     string `json:"jti,omitempty"`
	Problem string `json:"problem"`
}

// heads are the chain's hashes by the number of the entry; the first is the hash before all
// entries. They end at the first problem.
type heads [][]byte

// proves reports whether the entries up to seq have the hash.
func (h heads) proves(seq int, hash []byte) bool {
	return seq >= 0 && seq < len(h) && bytes.Equal(h[seq], hash)
}

// walk computes a chain again from the tables.
func walk(c dbsqlc.ChainListRow, rows []dbsqlc.SealListRow) (heads, []ChainFinding) {
	good, last := heads{chain.Start()}, chain.Start()
	var found []ChainFinding
	add := func(seq int, kind, format string, args ...any) {
		found = append(found, ChainFinding{EffectID: c.EffectID, Seq: seq, Kind: kind, Problem: fmt.Sprintf(format, args...)})
	}
	for i, row := range rows {
		seq := i + 1
		switch {
		case row.Seq != seq:
			add(seq, FindingRemoved, "entry %d is missing: after entry %d comes entry %d", seq, i, row.Seq)
			return good, found
		case !row.Found:
			add(seq, FindingRemoved, "entry %d was removed from the timeline", seq)
		case len(row.Commitments) != len(row.Fields) || row.Seq <= c.Erased && len(row.Salts) != len(row.Fields):
			add(seq, FindingAltered, "entry %d has fields without commitments", seq)
		case row.Seq == c.Erased+1 && seq > 1 && row.Kind != "erased":
			add(seq, FindingAltered, "the entries up to %d were emptied without an erasure", c.Erased)
		case !hiddenIntact(c, row) || !bytes.Equal(entryOf(row).Hash(last), row.Hash):
			if moved := movedFrom(row, rows, last); moved > 0 {
				add(seq, FindingMoved, "entry %[2]d is at place %[1]d", seq, moved)
				break
			}
			add(seq, FindingAltered, "entry %d, %s, was altered", seq, row.Kind)
		}
		last = row.Hash
		if len(found) == 0 {
			good = append(good, row.Hash)
		}
	}
	switch {
	case !c.Present && len(rows) > 0:
		add(0, FindingTruncated, "%d sealed entries have no chain", len(rows))
	case c.Present && (c.Seq != len(rows) || !bytes.Equal(c.Hash, last)):
		add(0, FindingTruncated, "the chain ends at entry %d, but its head is at entry %d", len(rows), c.Seq)
	case c.Erased >= len(rows) && c.Erased > 0:
		add(0, FindingAltered, "the entries up to %d were emptied without an erasure", c.Erased)
	}
	return good, found
}

// entryOf returns the input of an entry's hash.
func entryOf(row dbsqlc.SealListRow) chain.Entry {
	e := chain.Entry{
		Seq: row.Seq, Kind: row.Kind, At: row.At, State: row.State, Cause: row.Cause, Provider: row.Provider, EventType: row.EventType,
		Effect: row.Effect, EffectID: row.EffectID, Fields: row.Fields, Commitments: row.Commitments,
	}
	switch row.EntryID {
	case 0:
		e.State, e.Cause = stateAwaiting, nil
	case 1:
		e.State, e.Cause = stateApplied, nil
	}
	return e
}

// hiddenIntact compares the hidden values with their commitments.
func hiddenIntact(c dbsqlc.ChainListRow, row dbsqlc.SealListRow) bool {
	values := hiddenValues(row)
	for i, name := range row.Fields {
		at := slices.IndexFunc(values, func(f chain.Field) bool { return f.Name == name })
		salt := fieldSalt(c, row, i)
		switch {
		case salt == nil && (at >= 0 || slices.Contains(keptFields, name)), salt != nil && at < 0:
			return false
		case salt != nil && !bytes.Equal(row.Commitments[i], chain.Commit(salt, values[at].Value)):
			return false
		}
		if at >= 0 {
			values = slices.Delete(values, at, at+1)
		}
	}
	return len(values) == 0
}

// keptFields are the fields that erasing keeps, with their salts.
var keptFields = []string{
	"event_id",
	"occurred_at",
	"deadline",
	"amount",
	"currency",
	"version",
	"source_event",
	"actor",
	"replay_id",
	"status",
	"duration_ms",
}

// fieldSalt returns the salt of the i-th hidden field; nil if it was erased.
func fieldSalt(c dbsqlc.ChainListRow, row dbsqlc.SealListRow, i int) []byte {
	if row.Seq <= c.Erased {
		return row.Salts[i]
	}
	return chain.FieldSalt(c.Salt, row.Seq, row.Fields[i])
}

// hiddenValues returns the hidden fields that have a value, in order.
func hiddenValues(row dbsqlc.SealListRow) []chain.Field {
	var fields []chain.Field
	add := func(name string, value *string) {
		if value != nil {
			fields = append(fields, chain.Field{Name: name, Value: []byte(*value)})
		}
	}
	switch row.EntryID {
	case 0:
		add("event_id", row.EventID)
		add("subject", row.Subject)
		add("merchant", row.Merchant)
		add("occurred_at", pg.Optional(row.OccurredAt))
		add("deadline", pg.Optional(row.Deadline))
		add("amount", number(row.Amount))
		add("currency", row.Currency)
		add("customer", row.Customer)
		add("version", row.Version)
		if row.Objects != nil {
			var joined []byte
			for _, object := range row.Objects {
				joined = append(joined, chain.Prefixed(object)...)
			}
			fields = append(fields, chain.Field{Name: "objects", Value: joined})
		}
		add("source_event", row.SourceEvent)
	case 1:
	default:
		add("actor", row.Actor)
		add("replay_id", row.ReplayID)
		add("error_code", row.ErrorCode)
		add("error_message", row.ErrorMessage)
		add("note", row.Note)
		add("url", row.Url)
		add("status", number(row.Status))
		add("duration_ms", number(row.DurationMs))
		add("answer", row.Answer)
	}
	return fields
}

// movedFrom returns the number of an entry that is at another entry's place, 0 if there is none: an
// entry with another number whose own hash is intact, or one whose facts match the seal of this
// place.
func movedFrom(row dbsqlc.SealListRow, rows []dbsqlc.SealListRow, last []byte) int {
	for _, other := range rows {
		if other.Seq == row.Seq || !other.Found {
			continue
		}
		whole, facts := other, other
		whole.Seq = row.Seq
		facts.Seq, facts.Fields, facts.Commitments = row.Seq, row.Fields, row.Commitments
		if len(other.Fields) == len(other.Commitments) && bytes.Equal(entryOf(whole).Hash(last), other.Hash) {
			return other.Seq
		}
		if len(row.Fields) == len(row.Commitments) && bytes.Equal(entryOf(facts).Hash(last), row.Hash) {
			return other.Seq
		}
	}
	return 0
}

var stateAwaiting, stateApplied = pg.Optional("awaiting"), pg.Optional("applied")

func number[T int | int64](n *T) *string {
	if n == nil {
		return nil
	}
	s := strconv.FormatInt(int64(*n), 10)
	return &s
}
