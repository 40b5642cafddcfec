package named_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/named"
)

func TestAnErrorIsNamedOnce(t *testing.T) {
	t.Parallel()
	once := named.Error("sweeping", context.Canceled)
	if once.Error() != "sendpromptly: sweeping: context canceled" || !errors.Is(once, context.Canceled) {
		t.Errorf("once: %v", once)
	}
	if twice := named.Error("running", once); twice != once { //nolint:errorlint // the very same
		t.Errorf("twice: %v", twice)
	}
	if named.Error("sweeping", nil) != nil {
		t.Error("an error comes of nothing")
	}
}
