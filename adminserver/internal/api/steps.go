package api

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// Steps is the background work: it continues started plans.
func Steps(d web.Deps) []web.Step {
	return []web.Step{{Name: "plans", Every: time.Second, Do: func(ctx context.Context) error {
		for {
			if more, err := d.Incidents.Plans.Run(ctx); err != nil || !more || ctx.Err() != nil {
				return err
			}
		}
	}}}
}
