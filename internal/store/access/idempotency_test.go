package access_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// Work whose answer is no success is taken back, and the key is free again;
// work whose answer is one is done once, for a project or the whole deployment.
func TestOnlyTheWorkOfASuccessIsKept(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"default", ""} {
		t.Run("project "+project, func(t *testing.T) {
			key := access.IdempotencyKey{Project: project, Endpoint: "test", Key: "one", BodyHash: []byte{1}}
			calls := 0
			work := func(status int, fault error) func(pgx.Tx) (int, []byte, error) {
				return func(tx pgx.Tx) (int, []byte, error) {
					calls++
					_, err := tx.Exec(
						t.Context(),
						"INSERT INTO sendpromptly.audit VALUES (1, gen_random_uuid(), now(), 'ada', 'test', $1)",
						project,
					)
					return status, []byte("answer"), errors.Join(err, fault)
				}
			}
			if a, err := st.Access.Idempotency.Once(t.Context(), key, work(409, nil)); err != nil || a.Status != 409 ||
				a.Replayed {
				t.Errorf("a refusal: %+v, %v", a, err)
			}
			fault := errors.New("fault")
			if _, err := st.Access.Idempotency.Once(t.Context(), key, work(200, fault)); !errors.Is(err, fault) {
				t.Errorf("a fault: %v", err)
			}
			for n, replayed := range []bool{false, true, true} {
				a, err := st.Access.Idempotency.Once(t.Context(), key, work(201, nil))
				if err != nil || a.Status != 201 || string(a.Body) != "answer" || a.Replayed != replayed {
					t.Errorf("success %d: %+v, %v", n, a, err)
				}
			}
			other := key
			other.BodyHash = []byte{2}
			if _, err := st.Access.Idempotency.Once(t.Context(), other, work(201, nil)); !errors.Is(err,
				access.ErrIdempotencyConflict) {
				t.Errorf("another body: %v", err)
			}
			var rows int
			if err := db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sendpromptly.audit WHERE subject = $1", project).
				Scan(&rows); err != nil || rows != 1 ||
				calls != 3 {
				t.Errorf("%d rows of %d calls, %v", rows, calls, err)
			}
		})
	}
	if _, err := st.Access.Idempotency.Once(
		t.Context(),
		access.IdempotencyKey{Project: "nobody", Endpoint: "test", Key: "one"},
		nil,
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("an unknown project: %v", err)
	}
}
