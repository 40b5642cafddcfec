package engine

import (
	"context"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/opened"
)

// What the engine says in the app's log: a constant that begins with our name,
// and the details as attributes. An idle engine says nothing.
const (
	saysSwept      = "sendpromptly: sweep moved effects"
	saysMismatch   = "sendpromptly: a duplicate receipt differs from the first or its effect is closed"
	saysMismatches = "sendpromptly: duplicate receipts differ from the first or their effects are closed"
	saysSent       = "sendpromptly: repair callbacks sent"
	saysRetained   = "sendpromptly: settled effects removed"
	saysStepFailed = "sendpromptly: a background step failed and will retry"
	saysSetAside   = "sendpromptly: an overdue effect does not open and will be retried in an hour"
	saysNoPayload  = "sendpromptly: a payload snapshot does not open"
	saysUnanswered = "sendpromptly: a repair callback could not be answered"
)

// swept is what one pass of the sweep moved.
type swept struct {
	// opened are the incidents that deadlines opened, and failures that had waited for their effect. expired counts
	// attempts that were given up, folded such failures.
	opened          opened.Incidents
	expired, folded int
}

// say tells what a pass moved, and nothing where that is nothing.
func (s *swept) say(ctx context.Context, logger *slog.Logger) {
	s.opened.Say(ctx, logger)
	if n := s.opened.Missing + s.opened.Failed; n+s.expired+s.folded > 0 {
		tell(ctx, logger, slog.LevelInfo, saysSwept, "opened", n, "expired", s.expired, "folded", s.folded)
	}
}

// mismatch is a duplicate receipt and why it is a mismatch; why is empty where it is none.
type mismatch struct {
	key    Key
	effect EffectID
	why    string
}

// sayMismatches warns of the receipts that are mismatches. Their timelines say so too, once the caller commits.
func (e *Engine) sayMismatches(ctx context.Context, receipts ...mismatch) {
	var found []mismatch
	for _, m := range receipts {
		if m.why != "" {
			found = append(found, m)
		}
	}
	if len(found) > opened.Most {
		tell(ctx, e.cfg.Logger, slog.LevelWarn, saysMismatches, "project", e.cfg.Project, "receipts", len(found))
		return
	}
	for _, m := range found {
		tell(ctx, e.cfg.Logger, slog.LevelWarn, saysMismatch, "project", e.cfg.Project, "effect_id", m.effect,
			"provider", m.key.Provider, "event_id", m.key.EventID, "effect", m.key.Effect, "why", m.why)
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
