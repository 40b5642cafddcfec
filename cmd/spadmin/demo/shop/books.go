package shop

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// execer is a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// CreateAccount signs a customer up.
func CreateAccount(ctx context.Context, db execer, id string, a Account) error {
	_, err := db.Exec(
		ctx,
		"INSERT INTO shop.accounts (id, credits, access, team) VALUES ($1, $2, $3, $4)",
		id,
		a.Credits,
		a.Access,
		a.Team,
	)
	return err
}

// Books reads the shop's tables. The demo compares the engine's reports with them.
type Books struct{ Pool *pgxpool.Pool }

// Account is what a customer has. The zero value is the free plan, with which new
// customers begin.
type Account struct {
	Credits int64
	Access  bool
	// Team says that the team plan is paid for.
	Team bool
}

// Account reads one account, or returns pgx.ErrNoRows.
func (b Books) Account(ctx context.Context, id string) (Account, error) {
	var a Account
	err := b.Pool.QueryRow(ctx, "SELECT credits, access, team FROM shop.accounts WHERE id = $1", id).
		Scan(&a.Credits, &a.Access, &a.Team)
	return a, err
}

// OrderStates reads the states of an account's orders.
func (b Books) OrderStates(ctx context.Context, account string) ([]string, error) {
	// CollectRows returns the error of Query.
	rows, _ := b.Pool.Query(ctx, "SELECT state FROM shop.orders WHERE account = $1 ORDER BY id", account)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// TimesApplied counts how often the shop applied an event.
func (b Books) TimesApplied(ctx context.Context, eventID string) (int, error) {
	var n int
	err := b.Pool.QueryRow(ctx, "SELECT count(*) FROM shop.history WHERE event_id = $1", eventID).Scan(&n)
	return n, err
}

// Job is the state of one job of an event.
type Job struct {
	Taken, Done bool
	Error       string
}

// Jobs reads the jobs of an event, oldest first: one for its delivery, and one for
// each queued repair.
func (b Books) Jobs(ctx context.Context, eventID string) ([]Job, error) {
	// CollectRows returns the error of Query.
	rows, _ := b.Pool.Query(
		ctx,
		"SELECT taken_at, done_at, coalesce(error, '') FROM shop.jobs WHERE event_id = $1 ORDER BY id",
		eventID,
	)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Job, error) {
		var j Job
		var taken, done *time.Time
		err := row.Scan(&taken, &done, &j.Error)
		j.Taken, j.Done = taken != nil, done != nil
		return j, err
	})
}
