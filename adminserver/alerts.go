package adminserver

import (
	"context"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// AlertResult is the result of a test message to one destination.
type AlertResult struct {
	// Channel is email, slack or webhook.
	Channel string `json:"channel"`
	// Target is the part of the destination that may be shown: addresses, or the host of a URL.
	Target string `json:"target"`
	// OK says that the destination accepted the message.
	OK bool `json:"ok"`
	// Error says why not, in at most 500 bytes.
	Error string `json:"error,omitempty"`
}

// TestAlerts sends a test message to each alert destination of a project, once,
// and returns the result of each. It needs a database, BaseURL and, for email, SMTP. The
// error is about the project or the configuration, not about a destination:
// [engine.ErrNotFound] for a project that does not exist, an [*engine.FieldError]
// for one without a destination.
func TestAlerts(ctx context.Context, cfg Config, project string) ([]AlertResult, error) {
	pool, err := cfg.onlyCell()
	if err != nil {
		return nil, err
	}
	allow, err := cfg.allowed()
	if err != nil {
		return nil, err
	}
	base, err := web.ParseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	smtp := mail.SMTP(cfg.SMTP)
	if err := smtp.Validate(); err != nil {
		return nil, err
	}
	all, err := rooms.Open(pool, cfg.SecretKey)
	if err != nil {
		return nil, named.Error("testing alerts", err)
	}
	deps := web.Deps{Base: base, Pool: pool, Rooms: all, AllowNetworks: allow, Logger: slog.New(slog.DiscardHandler)}
	came, err := alerts.New(deps, smtp).Test(ctx, project)
	if err != nil {
		return nil, named.Error("testing alerts", err)
	}
	results := make([]AlertResult, len(came))
	for i, r := range came {
		results[i] = AlertResult(r)
	}
	return results, nil
}
