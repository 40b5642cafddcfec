package archive_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
)

// credits is the effect that an event of the samples owes.
func credits(event string) engine.Key {
	return engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
}

func needs[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
