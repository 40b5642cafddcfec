package engine

import (
	"context"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/internal/caught"
)

// What the engine says in the app's log: a constant that begins with our name,
// and the details as attributes. An idle engine says nothing.
const (
	saysSwept      = "sendpromptly: sweep moved effects"
	saysOpened     = "sendpromptly: incidents opened"
	saysSent       = "sendpromptly: repair callbacks sent"
	saysRetained   = "sendpromptly: settled effects removed"
	saysStepFailed = "sendpromptly: a background step failed and will retry"
	saysSetAside   = "sendpromptly: an overdue effect does not open and will be retried in an hour"
	saysNoPayload  = "sendpromptly: a payload snapshot does not open"
	saysUnanswered = "sendpromptly: a repair callback could not be answered"
)

// swept is what one pass of the sweep moved.
type swept struct {
	// opened counts incidents that a deadline opened, expired attempts that were
	// given up, and folded failures that had waited for their effect.
	opened, expired, folded int
}

// say tells what a pass moved, and nothing where that is nothing.
func (s swept) say(ctx context.Context, logger *slog.Logger) {
	if s.opened > 0 {
		tell(ctx, logger, slog.LevelWarn, saysOpened, "opened", s.opened, "cause", CauseMissing)
	}
	if s != (swept{}) {
		tell(ctx, logger, slog.LevelInfo, saysSwept, "opened", s.opened, "expired", s.expired, "folded", s.folded)
	}
}

// sayCount tells a count under a name, and nothing for none.
func sayCount(ctx context.Context, logger *slog.Logger, message, name string, n int) {
	if n > 0 {
		tell(ctx, logger, slog.LevelInfo, message, name, n)
	}
}

// tell outlives a logger that panics: what it would have said must not undo what was done.
func tell(ctx context.Context, logger *slog.Logger, level slog.Level, message string, attrs ...any) {
	_ = caught.Call(func() error {
		logger.Log(ctx, level, message, attrs...) //nolint:sloglint // one of the constants above
		return nil
	})
}
