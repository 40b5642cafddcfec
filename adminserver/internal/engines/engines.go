// Package engines gives the admin server one engine per project.
package engines

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// freshFor is how long an engine is used before the project's settings are read again.
const freshFor = 10 * time.Second

// Engines creates engines on demand. It is safe for concurrent use.
type Engines struct {
	pool  *pgxpool.Pool
	cfg   engine.Config
	mu    sync.Mutex
	known map[string]known
	// making has one call per engine that is being created; concurrent callers share its result.
	making singleflight.Group
}

type known struct {
	engine *engine.Engine
	since  time.Time
}

// New makes engines that share a pool and a configuration, except for the project.
func New(pool *pgxpool.Pool, cfg engine.Config) *Engines {
	return &Engines{pool: pool, cfg: cfg, known: map[string]known{}}
}

// For returns the engine of a project, or [engine.ErrNotFound] if there is none. Its view of the project's
// settings is at most 10 seconds old.
func (e *Engines) For(ctx context.Context, project string) (*engine.Engine, error) {
	if project == "" { // an engine would use the default project
		return nil, store.NotFound("project %q", project)
	}
	e.mu.Lock()
	have, ok := e.known[project]
	e.mu.Unlock()
	if ok && time.Since(have.since) < freshFor {
		return have.engine, nil
	}
	// The other callers must not fail because the first one left. New has its own time limit.
	shared := context.WithoutCancel(ctx)
	making := e.making.DoChan(project, func() (made any, err error) {
		defer caught.Panic(&err) // singleflight would end the process
		return e.make(shared, project)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case answer := <-making:
		made, _ := answer.Val.(*engine.Engine)
		return made, answer.Err
	}
}

func (e *Engines) make(ctx context.Context, project string) (*engine.Engine, error) {
	cfg := e.cfg
	cfg.Project = project
	made, err := engine.New(ctx, e.pool, cfg)
	var field *engine.FieldError
	if errors.As(err, &field) && field.Field == "Config.Project" {
		return nil, store.NotFound("project %q", project)
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[project] = known{engine: made, since: time.Now()}
	return made, nil
}
