package checks_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
)

func TestTheReleasedFingerprintIsWhatTheMigrationsMake(t *testing.T) {
	t.Parallel()
	checks.FingerprintIsCurrent(t, enginetest.New(t).Pool)
}
