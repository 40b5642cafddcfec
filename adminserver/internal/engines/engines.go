// Package engines gives the admin server an engine for each project.
package engines

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/store"
)

// freshFor is how long an engine is used before the project's settings are read again.
const freshFor = 10 * time.Second

// Engines makes engines as they are asked for. It is safe for concurrent use.
type Engines struct {
	pool  *pgxpool.Pool
	cfg   engine.Config
	mu    sync.Mutex
	known map[string]known
}

type known struct {
	engine *engine.Engine
	since  time.Time
}

// New makes engines that share a pool and, but for the project, a configuration.
func New(pool *pgxpool.Pool, cfg engine.Config) *Engines {
	return &Engines{pool: pool, cfg: cfg, known: map[string]known{}}
}

// For returns the engine of a project, or [store.ErrNotFound] where there is
// none. Its view of the project's settings is at most 10 seconds old.
func (e *Engines) For(project string) (*engine.Engine, error) {
	if project == "" { // an engine would take it for the default
		return nil, fmt.Errorf("project %q: %w", project, store.ErrNotFound)
	}
	e.mu.Lock()
	have, ok := e.known[project]
	e.mu.Unlock()
	if ok && time.Since(have.since) < freshFor {
		return have.engine, nil
	}
	cfg := e.cfg
	cfg.Project = project
	made, err := engine.New(e.pool, cfg)
	var field *engine.FieldError
	if errors.As(err, &field) && field.Field == "Config.Project" {
		return nil, fmt.Errorf("project %q: %w", project, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[project] = known{engine: made, since: time.Now()}
	return made, nil
}
