// Package engines gives the admin server an engine for each project.
package engines

import (
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// freshFor is how long an engine is used before the project's settings are read again.
const freshFor = 10 * time.Second

// Engines makes engines as they are asked for. It is safe for concurrent use.
type Engines struct {
	pool  *pgxpool.Pool
	cfg   engine.Config
	mu    sync.Mutex
	known map[string]known
	// making are the engines that are being made: whoever asks meanwhile waits for the same one.
	making map[string]*making
}

type making struct {
	done   chan struct{}
	engine *engine.Engine
	err    error
}

type known struct {
	engine *engine.Engine
	since  time.Time
}

// New makes engines that share a pool and, but for the project, a configuration.
func New(pool *pgxpool.Pool, cfg engine.Config) *Engines {
	return &Engines{pool: pool, cfg: cfg, known: map[string]known{}, making: map[string]*making{}}
}

// For returns the engine of a project, or [engine.ErrNotFound] where there is
// none. Its view of the project's settings is at most 10 seconds old.
func (e *Engines) For(project string) (*engine.Engine, error) {
	if project == "" { // an engine would take it for the default
		return nil, store.NotFound("project %q", project)
	}
	e.mu.Lock()
	if have, ok := e.known[project]; ok && time.Since(have.since) < freshFor {
		e.mu.Unlock()
		return have.engine, nil
	}
	m, others := e.making[project]
	if !others {
		m = &making{done: make(chan struct{})}
		e.making[project] = m
	}
	e.mu.Unlock()
	if others {
		<-m.done
		return m.engine, m.err
	}
	m.engine, m.err = e.make(project)
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.err == nil {
		e.known[project] = known{engine: m.engine, since: time.Now()}
	}
	delete(e.making, project)
	close(m.done)
	return m.engine, m.err
}

func (e *Engines) make(project string) (*engine.Engine, error) {
	cfg := e.cfg
	cfg.Project = project
	made, err := engine.New(e.pool, cfg)
	var field *engine.FieldError
	if errors.As(err, &field) && field.Field == "Config.Project" {
		return nil, store.NotFound("project %q", project)
	}
	return made, err
}
