package adminserver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// Run does the server's background work, such as sending alerts, until ctx
// ends, and then ends the streams of live pages, so that the HTTP server can go
// down. It returns nil after the steps under way have ended; what they meet is
// logged, and each goes on at its next interval. Any number of servers may run.
func (s *Server) Run(ctx context.Context) error {
	defer s.close()
	var loops sync.WaitGroup
	for _, step := range s.steps {
		loops.Go(func() { s.loop(ctx, step) })
	}
	<-ctx.Done()
	s.close()
	loops.Wait()
	return nil
}

// loop calls a step at once and then again an interval after it ended.
func (s *Server) loop(ctx context.Context, step web.Step) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := once(ctx, step); err != nil && ctx.Err() == nil {
			s.cfg.Logger.ErrorContext(ctx, "sendpromptly: step ended early", "step", step.Name, "error", err)
		}
		timer.Reset(step.Every)
	}
}

// once is a pass; a step that panics must not take the server with it.
func once(ctx context.Context, step web.Step) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("panic: %v\n%s", failure, debug.Stack())
		}
	}()
	return step.Do(ctx)
}
