package engine

import (
	"context"

	"github.com/sendpromptly/sendpromptly/internal/steps"
)

func init() {
	steps.Register(func(of any) steps.Steps {
		e := of.(*Engine)
		return steps.Steps{
			Sweep:   e.sweepNow,
			Deliver: func(ctx context.Context) (int, error) { return e.deliver(ctx, 0) },
			Seal:    e.seal,
			Index:   e.index,
			Purge:   e.purge,
			Retain:  e.retain,
		}
	})
}
