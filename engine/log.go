package engine

import (
	"context"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/opened"
)

// The engine's log messages. Each is a constant that begins with our name, and details are
// attributes. An idle engine logs nothing.
const (
	saysSwept      = "sendpromptly: sweep moved effects"
	saysMismatch   = "sendpromptly: a duplicate receipt differs from the first or its effect is closed"
	saysMismatches = "sendpromptly: duplicate receipts differ from the first or their effects are closed"
	saysSent       = "sendpromptly: repair callbacks sent"
	saysRetained   = "sendpromptly: settled effects removed"
	saysStepFailed = "sendpromptly: a background step failed and will retry"
	saysSetAside   = "sendpromptly: opening an overdue incident failed and will be retried in an hour"
	saysNoPayload  = "sendpromptly: a payload snapshot could not be decrypted"
	saysUnanswered = "sendpromptly: a repair callback could not be answered"
)

// swept counts what one pass of the sweep changed.
type swept struct {
	// opened are the incidents that the pass opened. expired counts attempts that ended without an
	// outcome, folded counts failures that had been stored until their effect was free.
	opened          opened.Incidents
	expired, folded int
}

// say logs what a pass changed, if it changed anything.
func (s *swept) say(ctx context.Context, logger *slog.Logger) {
	s.opened.Say(ctx, logger)
	if n := s.opened.Missing + s.opened.Failed; n+s.expired+s.folded > 0 {
		tell(ctx, logger, slog.LevelInfo, saysSwept, "opened", n, "expired", s.expired, "folded", s.folded)
	}
}

// mismatch is a receipt and why it is a mismatch; why is empty if it is not.
type mismatch struct {
	key    Key
	effect EffectID
	why    string
}

// sayMismatches logs the receipts that are mismatches. Their timelines show it too, once the caller
// commits.
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

// sayCount logs a count, unless it is 0.
func sayCount(ctx context.Context, logger *slog.Logger, message, name string, n int) {
	if n > 0 {
		tell(ctx, logger, slog.LevelInfo, message, name, n)
	}
}

// tell survives a logger that panics: a log message must not undo finished work.
func tell(ctx context.Context, logger *slog.Logger, level slog.Level, message string, attrs ...any) {
	_ = caught.Call(func() error {
		logger.Log(ctx, level, message, attrs...) //nolint:sloglint // one of the constants above
		return nil
	})
}
