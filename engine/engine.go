package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
	"github.com/sendpromptly/sendpromptly/internal/testclock"
)

// Engine records receipts and outcomes, opens incidents for missing outcomes and sends repair
// callbacks. It is safe for concurrent use. All its state is in Postgres, so any number of engines
// may share a database.
type Engine struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
	cfg     Config
	box     *secretbox.Box
	client  *http.Client
	project atomic.Pointer[dbsqlc.Project]

	// lastPass is when the last complete pass of the sweep began; zero before the first. An overdue
	// row older than that was invisible or locked during that pass.
	sweeping sync.Mutex
	lastPass time.Time
	frontier frontier
	// locked is how many overdue rows that pass skipped because they were locked.
	locked int
	// took is how long the last pass lasted.
	took time.Duration
}

// New creates an engine for a migrated database (see [Migrate]). It reads the project, which takes
// at most 5 seconds. It returns an error if the schema is older than this engine, if the schema's
// clock was replaced, or if the project does not exist. Nothing runs in the background until
// [Engine.Run]; ctx is used only during the call.
//
// It reads two environment variables: SENDPROMPTLY_ALLOW_NETWORKS if Config.AllowNetworks is nil,
// and SENDPROMPTLY_SECRET_KEY if Config.SecretKey is empty.
func New(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Engine, error) {
	if pool == nil {
		return nil, &FieldError{"pool", "is nil"}
	}
	cfg, box, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := checkSchema(ctx, pool); err != nil {
		return nil, err
	}
	e := &Engine{pool: pool, queries: dbsqlc.New(), cfg: cfg, box: box, client: guardedhttp.New(cfg.AllowNetworks)}
	if err := e.loadProject(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// checkSchema checks that the database has the schema that this build needs.
func checkSchema(ctx context.Context, pool *pgxpool.Pool) error {
	need, err := migrate.Latest()
	if err != nil {
		return named.Error("reading the migrations", err)
	}
	have, err := dbsqlc.New().ClockBody(ctx, pool)
	if migrate.IsMissing(err) {
		return errors.New("sendpromptly: the schema is missing: run engine.Migrate or spadmin migrate up")
	}
	if err != nil {
		return named.Error("reading the schema's version", err)
	}
	if have.Version < need {
		return fmt.Errorf(
			"sendpromptly: the schema is at version %d, this engine needs %d: run engine.Migrate or spadmin migrate up",
			have.Version,
			need,
		)
	}
	if !testclock.Intact(have.Body, have.Database) {
		return errors.New("sendpromptly: sendpromptly.clock() was replaced: run spadmin doctor for the statement that restores it")
	}
	return nil
}

// loadProject reads the project's settings again.
func (e *Engine) loadProject(ctx context.Context) error {
	row, err := e.queries.ProjectGet(ctx, e.pool, e.cfg.Project)
	if errors.Is(err, pgx.ErrNoRows) {
		return &FieldError{"Config.Project", "does not exist: create it with spadmin project create"}
	}
	if err != nil {
		return named.Error("reading the project", err)
	}
	e.project.Store(&row.Project)
	return nil
}
