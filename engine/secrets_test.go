package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// After a rotation both secrets sign for the overlap, so that the app can change over; then the new one alone.
func TestARotatedSecretSignsAlongForTheOverlap(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	old := read[string](t, r.db.Pool, `SELECT convert_from(secret, 'UTF8') FROM sendpromptly.callback_secrets`)
	s, err := rooms.Open(r.db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := s.Projects.RotateCallbackSecret(t.Context(), "default", time.Hour, "ada")
	if err != nil {
		t.Fatal(err)
	}
	r.ask("evt_1")
	for _, want := range [][]string{{rotated, old}, {rotated}} {
		r.deliver(1)
		header, body := r.came[len(r.came)-1], r.raw[len(r.raw)-1]
		if signatures := strings.Split(header.Get(callback.SignatureHeader), ","); len(signatures) != len(want) {
			t.Errorf("%d signatures, want %d", len(signatures), len(want))
		}
		now := read[time.Time](t, r.db.Pool, `SELECT sendpromptly.clock()`)
		for _, secret := range []string{old, rotated} {
			_, err := callback.Verify(header, body, []string{secret}, now)
			if holds := err == nil; holds != (secret == rotated || len(want) == 2) {
				t.Errorf("after %d tries the new secret's being %v verifies: %v", len(r.came), secret == rotated, holds)
			}
		}
		r.db.Travel(time.Hour + time.Minute)
	}
}
