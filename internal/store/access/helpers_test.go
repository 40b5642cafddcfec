package access_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

func open(t *testing.T) (*enginetest.Database, *rooms.Rooms) {
	t.Helper()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	return db, st
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
