package store_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

func TestTheReleasedFingerprintIsWhatTheMigrationsMake(t *testing.T) {
	t.Parallel()
	store.FingerprintIsCurrent(t, enginetest.New(t).Pool)
}
