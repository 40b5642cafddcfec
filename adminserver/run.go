package adminserver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

// Run does the server's background work, such as sending alerts, until ctx ends, and then ends the streams of
// live pages, so that the HTTP server can stop. It returns nil after the running steps have ended. Their
// errors are logged, and each step runs again after its interval. Any number of servers may run.
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

// loop calls a step at once and then again one interval after it ended. A panic in it is logged with its
// stack, and stops neither the server nor the loop.
func (s *Server) loop(ctx context.Context, step web.Step) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := caught.Call(func() error { return step.Do(ctx) })
		if caught.Is(err) || err != nil && ctx.Err() == nil {
			caught.Log(ctx, s.cfg.Logger, slog.LevelError, "sendpromptly: a background step failed and will retry", err, "step", step.Name)
		}
		timer.Reset(step.Every)
	}
}
