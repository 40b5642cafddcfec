package evidence

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// ExportedEntry is a sealed entry of a bundle: the clear fields, and the commitments of the hidden
// fields, with value and salt only of disclosed ones. The hash can be computed from it; see
// docs/proof-format.md.
type ExportedEntry struct {
	Seq  int
	Kind string
	At   time.Time
	// State and Cause are empty if they did not change; EventType if it is unknown.
	State                       engine.State
	Cause                       engine.Cause
	Provider, EventType, Effect string
	EffectID                    engine.EffectID
	Hidden                      []HiddenField
	Hash                        []byte
}

// HiddenField is a field whose commitment is hashed instead of its value.
type HiddenField struct {
	Name       string
	Commitment []byte
	// Value and Salt are nil unless the field is disclosed. The salt reveals only this field of
	// this entry.
	Value, Salt []byte
}

// HiddenFields are the names of all hidden fields: first those of a receipt, then those of other
// entries.
var HiddenFields = []string{
	"event_id",
	"subject",
	"merchant",
	"occurred_at",
	"deadline",
	"amount",
	"currency",
	"customer",
	"version",
	"objects",
	"source_event",
	"actor",
	"replay_id",
	"error_code",
	"error_message",
	"note",
	"url",
	"status",
	"duration_ms",
	"answer",
}

// disclosed are the hidden fields that every export discloses: times only.
var disclosed = []string{"occurred_at", "deadline"}

// Export returns the sealed entries of an incident up to a number, 0 for all. It discloses the
// hidden fields in disclose, and always the times of the event and of the deadline; an erased field
// stays hidden. It seals nothing, so it omits unsealed entries. Use [Chains.StillProven] to check
// that they are intact.
func (cs *Chains) Export(
	ctx context.Context,
	incident engine.IncidentID,
	uptoSeq int,
	disclose ...string,
) ([]ExportedEntry, error) {
	c, rows, err := cs.chainOf(ctx, incident)
	if err != nil {
		return nil, err
	}
	entries := []ExportedEntry{}
	for _, row := range rows {
		if uptoSeq > 0 && row.Seq > uptoSeq || !row.Found || len(row.Commitments) != len(row.Fields) {
			break
		}
		e := entryOf(row)
		out := ExportedEntry{
			Seq:       row.Seq,
			Kind:      e.Kind,
			State:     engine.State(pg.Value(e.State)),
			Cause:     engine.Cause(pg.Value(e.Cause)),
			Provider:  e.Provider,
			EventType: pg.Value(e.EventType),
			Effect:    e.Effect,
			EffectID:  engine.EffectID(e.EffectID),
			Hash:      row.Hash,
		}
		if micros, err := strconv.ParseInt(e.At, 10, 64); err == nil {
			out.At = time.UnixMicro(micros).UTC()
		}
		values := hiddenValues(row)
		for i, name := range row.Fields {
			field := HiddenField{Name: name, Commitment: row.Commitments[i]}
			open := slices.Contains(disclosed, name) || slices.Contains(disclose, name)
			if erased := row.Seq <= c.Erased && (len(row.Salts) != len(row.Fields) || row.Salts[i] == nil); open && !erased {
				for _, v := range values {
					if v.Name == name {
						field.Value, field.Salt = v.Value, fieldSalt(c, row, i)
					}
				}
			}
			out.Hidden = append(out.Hidden, field)
		}
		entries = append(entries, out)
	}
	return entries, nil
}
