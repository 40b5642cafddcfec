package webhook

import "slices"

// The engine's bounds for the provider's ids on one acceptance.
const (
	maxObjects  = 16
	maxObjectID = 255
)

// Objects collects the ids that support holds in hand, in the order in which
// they are added: each once, at most 16, none longer than 255 characters. The zero
// value is ready.
type Objects struct{ ids []string }

// Add takes what can be kept and skips the rest: empty, too long, with spaces
// or control characters, already there, or one too many.
func (o *Objects) Add(ids ...string) {
	for _, id := range ids {
		if len(o.ids) == maxObjects || !IsName(id, maxObjectID) || slices.Contains(o.ids, id) {
			continue
		}
		o.ids = append(o.ids, id)
	}
}

// IDs returns what was collected; nil if nothing was.
func (o *Objects) IDs() []string { return o.ids }
