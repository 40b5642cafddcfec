package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// recorder stands in for a connection and only notes the statement, so that
// the generated queries, which are the only place that holds SQL, can be
// queued into a caller's batch as well.
type recorder struct {
	sql  string
	args []any
}

var errRecorded = errors.New("recorded, not executed")

func (r *recorder) note(sql string, args []any) { r.sql, r.args = sql, args }

// Exec implements dbsqlc.DBTX.
func (r *recorder) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	r.note(sql, args)
	return pgconn.CommandTag{}, errRecorded
}

// Query implements dbsqlc.DBTX.
func (r *recorder) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	r.note(sql, args)
	return nil, errRecorded
}

// QueryRow implements dbsqlc.DBTX.
func (r *recorder) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	r.note(sql, args)
	return recordedRow{}
}

type recordedRow struct{}

func (recordedRow) Scan(...any) error { return errRecorded }

// inList says at which position of a list a field is wrong.
func inList(i int, err error) error {
	var field *FieldError
	if errors.As(err, &field) {
		return &FieldError{fmt.Sprintf("list[%d].%s", i, field.Field), field.Reason}
	}
	return err
}
