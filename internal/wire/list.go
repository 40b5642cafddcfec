package wire

import "time"

// At is a moment in UTC, nil for none.
func At(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// List applies a function to each element. It is never null.
func List[A, B any](from []A, to func(A) B) []B {
	made := make([]B, len(from))
	for i, v := range from {
		made[i] = to(v)
	}
	return made
}
