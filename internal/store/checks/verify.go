package checks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/lifecycle"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Check is the result of checking the database against one invariant of the design.
type Check struct {
	// ID is S2, S3, S5, S6 or S7, or "chains" and "clock".
	ID string `json:"id"`
	// Title is the invariant.
	Title string `json:"title"`
	OK    bool   `json:"ok"`
	// Rows describe the violating rows, at most 20.
	Rows []string `json:"rows"`
}

// Report is the result of [Checks.Verify].
type Report struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// maxRows is the most violating rows of a check.
const maxRows = 20

// Verify checks the database against its invariants, in one read-only snapshot. An effect may be
// overdue by grace before its missing incident is a violation: use about two sweep intervals in a
// running system, and zero if nothing is running.
func (c *Checks) Verify(ctx context.Context, grace time.Duration) (Report, error) {
	report := Report{OK: true}
	// Repeatable read: the checks compare tables with each other.
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, c.db.Pool, options, func(tx pgx.Tx) error {
		for _, check := range c.checks(ctx, tx, grace) {
			rows, err := check.find()
			if err != nil {
				return fmt.Errorf("check %s: %w", check.id, err)
			}
			if rows == nil {
				rows = []string{}
			}
			report.Checks = append(report.Checks, Check{ID: check.id, Title: check.title, OK: len(rows) == 0, Rows: rows})
			report.OK = report.OK && len(rows) == 0
		}
		return nil
	})
	return report, err
}

type check struct {
	id, title string
	find      func() ([]string, error)
}

func (c *Checks) checks(ctx context.Context, tx pgx.Tx, grace time.Duration) []check {
	q := c.db.Queries
	return []check{
		{
			"S2",
			"no incident opened before its deadline or beside a success",
			func() ([]string, error) { return q.VerifyS2(ctx, tx, maxRows) },
		},
		{"S3", "at most one incident per effect", func() ([]string, error) { return q.VerifyS3(ctx, tx, maxRows) }},
		{"S5", "nothing open beside a success, nothing overdue without an incident", func() ([]string, error) {
			return q.VerifyS5(ctx, tx, dbsqlc.VerifyS5Params{Grace: pg.Interval(grace), MaxRows: maxRows})
		}},
		{"S6", "only listed transitions, each with its entry", func() ([]string, error) {
			return q.VerifyS6(ctx, tx, dbsqlc.VerifyS6Params{Legal: legalMoves(), MaxRows: maxRows})
		}},
		{"S7", "callbacks only for an attempt in flight", func() ([]string, error) { return q.VerifyS7(ctx, tx, maxRows) }},
		{"chains", "every sealed chain is unaltered", func() ([]string, error) { return c.brokenChains(ctx, tx) }},
		{"clock", "the clock is Postgres's own", func() ([]string, error) { return c.clockProblems(ctx, tx) }},
	}
}

// brokenChains returns the findings of spadmin audit verify.
func (c *Checks) brokenChains(ctx context.Context, tx pgx.Tx) ([]string, error) {
	report, err := c.chains.VerifyWithin(ctx, tx)
	var rows []string
	for _, f := range report.Findings[:min(len(report.Findings), maxRows)] {
		rows = append(rows, fmt.Sprintf("effect %s: %s", f.EffectID, f.Problem))
	}
	return rows, err
}

func legalMoves() []string {
	var legal []string
	for _, m := range lifecycle.Moves() {
		legal = append(legal, m.From+"|"+m.Kind+"|"+m.To)
	}
	return legal
}
