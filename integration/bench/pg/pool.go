package pg

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is a pool on a database of its own.
type Pool struct {
	*pgxpool.Pool
	wire wire

	mu   sync.Mutex
	pids []uint32
}

// forever keeps connections: when a backend ends, its CPU time is lost.
const forever = 24 * time.Hour

// Open opens a pool of at most conns connections, which it keeps.
func Open(ctx context.Context, url string, conns int) (*Pool, error) {
	return OpenWith(ctx, url, conns, func(*pgxpool.Config) {})
}

// OpenWith is Open with a change of the pool's configuration by the caller.
func OpenWith(ctx context.Context, url string, conns int, more func(*pgxpool.Config)) (*Pool, error) {
	p := &Pool{}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(conns)
	cfg.MaxConnLifetime, cfg.MaxConnIdleTime = forever, forever
	cfg.ConnConfig.DialFunc = p.wire.dial
	// A ping of an idle connection would count as a round trip that no measured call made.
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pids = append(p.pids, conn.PgConn().PID())
		return nil
	}
	more(cfg)
	p.Pool, err = pgxpool.NewWithConfig(ctx, cfg)
	return p, err
}

// RoundTrips counts the round trips of all connections since the pool was opened.
func (p *Pool) RoundTrips() int64 { return p.wire.trips.Load() }

// SetDelay makes every round trip longer from now on.
func (p *Pool) SetDelay(d time.Duration) { p.wire.delay.Store(int64(d)) }

// ErrNoCPUTime means that a backend's CPU time is not available: the machine has no /proc, or the server runs in a container.
var ErrNoCPUTime = errors.New("the CPU time of the server's backends is not available")

// CPUTime is what the pool's backends have used so far, or ErrNoCPUTime.
func (p *Pool) CPUTime() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var total time.Duration
	for _, pid := range p.pids {
		used, err := backendCPU(pid)
		if err != nil {
			return 0, ErrNoCPUTime
		}
		total += used
	}
	return total, nil
}

// Fill opens conns connections, so that none is opened within a measurement.
func (p *Pool) Fill(ctx context.Context, conns int) error {
	var held []*pgxpool.Conn
	defer func() {
		for _, conn := range held {
			conn.Release()
		}
	}()
	for range conns {
		conn, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		held = append(held, conn)
	}
	return nil
}

// SchemaBytes is the size of a schema's tables, with their indexes and everything else that belongs to them.
func (p *Pool) SchemaBytes(ctx context.Context, schema string) (bytes int64, err error) {
	err = p.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')`, schema).Scan(&bytes)
	return bytes, err
}

// Vacuum vacuums and analyzes the whole database.
func (p *Pool) Vacuum(ctx context.Context) error {
	_, err := p.Exec(ctx, "VACUUM (ANALYZE)")
	return err
}
