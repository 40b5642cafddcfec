package webhook

import "slices"

// The engine's limits for the Objects of an acceptance.
const (
	maxObjects  = 16
	maxObjectID = 255
)

// Objects collects the provider's ids of an acceptance, in the order in which they are added: each
// once, at most 16, none longer than 255 characters. The zero value is ready to use.
type Objects struct{ ids []string }

// Add adds the ids that the engine can store. It skips ids that are empty, too long, already there
// or too many, or that have spaces or control characters.
func (o *Objects) Add(ids ...string) {
	for _, id := range ids {
		if len(o.ids) == maxObjects || !IsName(id, maxObjectID) || slices.Contains(o.ids, id) {
			continue
		}
		o.ids = append(o.ids, id)
	}
}

// IDs returns the collected ids; nil if there are none.
func (o *Objects) IDs() []string { return o.ids }
