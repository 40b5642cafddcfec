// Package cli is what the subcommands of spadmin share: the context of one, its
// connections, its output, and the flags that several have.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// Session is the context of a subcommand.
type Session struct {
	Context        context.Context
	Stdout, Stderr io.Writer
	DatabaseURL    string
	Allow          []netip.Prefix
}

// ErrFound ends a command that ran and found a problem: exit code 1 without a
// message.
var ErrFound = errors.New("found a problem")

// Hint is an error with advice.
type Hint struct {
	Err error
	// Advice is what to do.
	Advice string
}

// WithHint adds advice to an error.
func WithHint(err error, advice string) error { return Hint{err, advice} }

func (h Hint) Error() string { return h.Err.Error() }
func (h Hint) Unwrap() error { return h.Err }

// Pool connects to the database.
func (s *Session) Pool() (*pgxpool.Pool, error) {
	if s.DatabaseURL == "" {
		return nil, Hint{
			&engine.FieldError{Field: "--database-url", Reason: "is not set"},
			"pass --database-url URL or set DATABASE_URL",
		}
	}
	pool, err := pgxpool.New(s.Context, s.DatabaseURL)
	if err != nil {
		// The driver's error contains the connection string with its password.
		return nil, &engine.FieldError{Field: "--database-url", Reason: "is not a PostgreSQL connection string"}
	}
	if err := pool.Ping(s.Context); err != nil {
		pool.Close()
		return nil, Hint{
			fmt.Errorf("the database does not answer: %w", err),
			"check that Postgres is running and that this user may connect",
		}
	}
	return pool, nil
}

// Store opens the store's rooms; done closes their pool.
func (s *Session) Store() (st *rooms.Rooms, pool *pgxpool.Pool, done func(), err error) {
	pool, err = s.Pool()
	if err != nil {
		return nil, nil, nil, err
	}
	st, err = rooms.Open(pool, "")
	if err != nil {
		pool.Close()
		return nil, nil, nil, err
	}
	return st, pool, pool.Close, nil
}

// Engine opens an engine of a project; done closes its pool.
func (s *Session) Engine(project string) (e *engine.Engine, done func(), err error) {
	pool, err := s.Pool()
	if err != nil {
		return nil, nil, err
	}
	e, err = engine.New(s.Context, pool, engine.Config{Project: project, AllowNetworks: s.Allow})
	if err != nil {
		pool.Close()
		var field *engine.FieldError
		if errors.As(err, &field) && field.Field == "Config.Project" {
			return nil, nil, Hint{store.NotFound("project %q", project), "spadmin project list prints the names"}
		}
		return nil, nil, err
	}
	return e, pool.Close, nil
}

// EngineOf opens an engine of the project that an incident belongs to.
func (s *Session) EngineOf(id string) (project string, e *engine.Engine, done func(), err error) {
	st, _, done, err := s.Store()
	if err != nil {
		return "", nil, nil, err
	}
	project, err = st.Incidents.ProjectOfIncident(s.Context, engine.IncidentID(id))
	done()
	if errors.Is(err, engine.ErrNotFound) {
		return "", nil, nil, Hint{err, "spadmin incidents lists the ids"}
	}
	if err != nil {
		return "", nil, nil, err
	}
	e, done, err = s.Engine(project)
	return project, e, done, err
}
