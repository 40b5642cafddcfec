package adminserver

import (
	"context"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// AlertResult is what came of a test message to one destination: its Channel
// (email, slack or webhook), the Target as it may be shown, and OK or an Error.
type AlertResult = alerts.Result

// TestAlerts sends a test message to each alert destination of a project, once,
// and says what came of each. It needs a database, BaseURL and, for email, SMTP. The
// error is about the project or the configuration, not about a destination.
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
	if err := cfg.SMTP.Validate(); err != nil {
		return nil, err
	}
	st, err := store.New(pool, cfg.SecretKey)
	if err != nil {
		return nil, named.Error("testing alerts", err)
	}
	deps := web.Deps{Base: base, Pool: pool, Store: st, AllowNetworks: allow, Logger: slog.New(slog.DiscardHandler)}
	results, err := alerts.New(deps, cfg.SMTP).Test(ctx, project)
	return results, named.Error("testing alerts", err)
}
