package dbsqlc_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

var errRecorded = errors.New("recorded, not executed")

// recording notes a statement with its arguments, fills what is scanned, each
// place with a value of its own, and executes nothing.
type recording struct {
	sql  string
	args []any
}

func (r *recording) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errRecorded
}

func (r *recording) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errRecorded
}

func (r *recording) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	r.sql, r.args = sql, args
	return row{}
}

type row struct{}

func (row) Scan(places ...any) error {
	for i, place := range places {
		distinct(reflect.ValueOf(place).Elem(), i+1)
	}
	return errRecorded
}

// results are those of a batch of one statement.
type results struct{ pgx.BatchResults }

func (results) QueryRow() pgx.Row { return row{} }

// distinct sets a field or place to the nth value of its type.
func distinct(v reflect.Value, n int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(n), 0)))
		return
	case []byte:
		v.SetBytes(fmt.Append(nil, n))
		return
	case []string:
		v.Set(reflect.ValueOf([]string{fmt.Sprint(n)}))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		distinct(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint(n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("say here what a value of " + v.Type().String() + " is")
	}
}

// requireTwin compares what a generated query runs with what its twin queues.
func requireTwin[P, R any](
	t *testing.T,
	run func(context.Context, dbsqlc.DBTX, P) (R, error),
	queue func(*pgx.Batch, P, func(R, error) error),
) {
	t.Helper()
	var arg P
	for i := range reflect.TypeFor[P]().NumField() {
		distinct(reflect.ValueOf(&arg).Elem().Field(i), i+1)
	}
	var ran recording
	want, err := run(t.Context(), &ran, arg)
	if !errors.Is(err, errRecorded) {
		t.Fatal(err)
	}
	batch, asked := &pgx.Batch{}, 0
	queue(batch, arg, func(got R, err error) error {
		asked++
		if !errors.Is(err, errRecorded) || !reflect.DeepEqual(got, want) {
			t.Errorf("scanned %+v, want %+v: %v", got, want, err)
		}
		return err
	})
	if len(batch.QueuedQueries) != 1 {
		t.Fatalf("%d statements", len(batch.QueuedQueries))
	}
	queued := batch.QueuedQueries[0]
	if queued.SQL != ran.sql || !reflect.DeepEqual(queued.Arguments, ran.args) || len(ran.args) != reflect.TypeFor[P]().NumField() {
		t.Errorf("queued %v: %s\nwant %v: %s", queued.Arguments, queued.SQL, ran.args, ran.sql)
	}
	if err := queued.Fn(results{}); !errors.Is(err, errRecorded) || asked != 1 {
		t.Errorf("done was called %d times: %v", asked, err)
	}
}

func TestWhatIsQueuedIsWhatIsRun(t *testing.T) {
	q := dbsqlc.New()
	t.Run("EffectAccept", func(t *testing.T) { requireTwin(t, q.EffectAccept, q.QueueEffectAccept) })
	t.Run("EffectSucceed", func(t *testing.T) { requireTwin(t, q.EffectSucceed, q.QueueEffectSucceed) })
	t.Run("EngineBeat", func(t *testing.T) { requireTwin(t, q.EngineBeat, q.QueueEngineBeat) })
}
