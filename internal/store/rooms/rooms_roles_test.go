package rooms_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// world is a database with an engine and the rooms of its owner.
type world struct {
	t      *testing.T
	db     *enginetest.Database
	engine *engine.Engine
	rooms  *rooms.Rooms
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := enginetest.New(t)
	return &world{t: t, db: db, engine: db.Engine(engine.Config{}), rooms: needs(rooms.Open(db.Pool, ""))(t)}
}

// incident makes an effect that was accepted and failed.
func (w *world) incident(event string) engine.Incident {
	w.t.Helper()
	k := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
	err := pgx.BeginFunc(w.t.Context(), w.db.Pool, func(tx pgx.Tx) error {
		_, err := w.engine.Accept(
			w.t.Context(),
			tx,
			engine.Acceptance{Key: k, Subject: "acct_1", Customer: "cus_1", Objects: []string{"in_1"}},
		)
		return err
	})
	if err == nil {
		err = w.engine.Fail(w.t.Context(), k, errors.New("no such table for cus_1"), engine.WithCode("db"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return needs(enginetest.IncidentOf(w.t.Context(), w.engine, k))(w.t)
}

func needs[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// as is the engine and the rooms of somebody who has one role and no other.
func (w *world) as(role string) (*engine.Engine, *rooms.Rooms, *pgxpool.Pool) {
	w.t.Helper()
	cfg, err := pgxpool.ParseConfig(w.db.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.ConnConfig.RuntimeParams["role"] = role
	pool, err := pgxpool.NewWithConfig(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(pool.Close)
	e, err := engine.New(w.t.Context(), pool, engine.Config{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		w.t.Fatalf("an engine as %s: %v", role, err)
	}
	st, err := rooms.Open(pool, "")
	if err != nil {
		w.t.Fatalf("the rooms as %s: %v", role, err)
	}
	return e, st, pool
}

// calls are made in turn, and each must succeed.
type calls []struct {
	name string
	call func() error
}

func (list calls) run(t *testing.T, role string) {
	t.Helper()
	for _, c := range list {
		if err := c.call(); err != nil {
			t.Errorf("%s: %s: %v", role, c.name, err)
		}
	}
}

// second keeps the error of a call.
func second[T any](_ T, err error) error { return err }

func TestTheAppsRoleMaySignal(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	e, _, pool := w.as("sendpromptly_app")
	k := func(event string) engine.Key {
		return engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
	}
	inTx := func(do func(tx pgx.Tx) error) func() error {
		return func() error { return pgx.BeginFunc(ctx, pool, do) }
	}
	calls{
		{"Accept", inTx(func(tx pgx.Tx) error {
			return second(e.Accept(ctx, tx, engine.Acceptance{Key: k("1"), Objects: []string{"in_1"}}))
		})},
		{"AcceptMany", inTx(func(tx pgx.Tx) error {
			return second(e.AcceptMany(ctx, tx, []engine.Acceptance{{Key: k("1")}, {Key: k("2")}, {Key: k("3")}, {Key: k("4")}}))
		})},
		{"a batch", inTx(func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			return errors.Join(
				e.QueueAccept(batch, engine.Acceptance{Key: k("5")}, nil),
				e.QueueSucceed(batch, k("5")),
				tx.SendBatch(ctx, batch).Close(),
			)
		})},
		{"Succeed", inTx(func(tx pgx.Tx) error { return e.Succeed(ctx, tx, k("1")) })},
		{"Fail", func() error { return e.Fail(ctx, k("2"), errors.New("no such account")) }},
		{"Apply", func() error { return e.Apply(ctx, k("3"), func(context.Context, pgx.Tx) error { return nil }) }},
	}.run(t, "app")
	w.db.RequireApplied(k("5"))
	w.db.RequireIncident(k("2"), engine.CauseFailed)
}

func TestTheOperatorsRoleMayReadActAndProve(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	url := "https://shop.example/repair"
	needs(w.rooms.Projects.Set(ctx, "default", projects.Settings{RepairURL: &url}, nil, "ada"))(t)
	i := w.incident("evt_1")
	needs(enginetest.Index(ctx, w.engine))(t)
	e, st, _ := w.as("sendpromptly_operator")
	var proof evidence.Proof
	calls{
		{"Incidents", func() error { return second(e.Incidents(ctx, engine.IncidentFilter{Open: true})) }},
		{"Incidents by term", func() error {
			return second(e.Incidents(ctx,
				engine.IncidentFilter{Term: "in_1", Customer: "cus_1"}))
		}},
		{"Incidents by text", func() error { return second(e.Incidents(ctx, engine.IncidentFilter{Text: "no such table"})) }},
		{"Incident", func() error { return second(e.Incident(ctx, i.ID)) }},
		{"Timeline", func() error { return second(e.Timeline(ctx, i.EffectID, 0)) }},
		{"Find", func() error { return second(e.Find(ctx, i.Key)) }},
		{"Effects", func() error {
			return second(st.Incidents.Effects.List(ctx, incidents.EffectFilter{Project: "default", Term: "in_1"}))
		}},
		{"Attempts", func() error { return second(st.Incidents.Attempts(ctx, "default", i.ID)) }},
		{"Overview", func() error { return second(st.Incidents.Statistics.Overview(ctx, "default")) }},
		{"Reprocess", func() error { return second(e.Reprocess(ctx, i.ID, "ada")) }},
		{"TryNow", func() error { return e.TryNow(ctx, i.ID, "ada") }},
		{"Stop", func() error { return second(e.Stop(ctx, i.ID, "ada")) }},
		{"Note", func() error { return e.Note(ctx, i.ID, "ada", "seen") }},
		{"Close", func() error { return e.CloseIncident(ctx, i.ID, "ada", "refunded") }},
		{"Reopen", func() error { return second(e.Reopen(ctx, i.ID, "ada", "not refunded after all")) }},
		{"IssueProof", func() (err error) {
			proof, _, err = st.Evidence.Proofs.Issue(
				ctx,
				evidence.ProofRequest{Incident: i.ID, By: "ada", Issuer: "https://ops.example.com"},
				func(evidence.ProofClaims) (string, error) { return "token", nil },
			)
			return err
		}},
		{"Proofs", func() error { return second(st.Evidence.Proofs.List(ctx, evidence.ProofFilter{})) }},
		{"ExportEntries", func() error { return second(st.Evidence.Chains.Export(ctx, i.ID, 0)) }},
		{"RevokeProof", func() error { return second(st.Evidence.Proofs.Revoke(ctx, proof.JTI, "ada")) }},
		{"Verify", func() error { return second(st.Checks.Verify(ctx, 0)) }},
		{"VerifyChains", func() error { return second(st.Evidence.Chains.Verify(ctx)) }},
		{"Erase", func() error {
			return second(st.Evidence.Erase(ctx, evidence.EraseRequest{Project: "default", Customer: "cus_1", By: "ada"}))
		}},
	}.run(t, "operator")
}

func TestTheEnginesRoleMayDoItsStepsAndRepair(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	e, st, _ := w.as("sendpromptly_engine")
	endpoint := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	defer endpoint.Close()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	needs(w.rooms.Projects.Set(ctx, "default", projects.Settings{RepairURL: &endpoint.URL}, loopback, "ada"))(t)
	needs(w.rooms.Projects.RotateCallbackSecret(ctx, "default", 0, "ada"))(t)
	i := w.incident("evt_1")
	needs(w.engine.Reprocess(ctx, i.ID, "ada"))(t)
	calls{
		{"Sweep", func() error { return second(enginetest.Sweep(ctx, e)) }},
		{"Deliver", func() error { return second(enginetest.Deliver(ctx, e)) }},
		{"Seal", func() error { return second(enginetest.Seal(ctx, e)) }},
		{"SealEffect", func() error { _, _, err := e.SealEffect(ctx, i.EffectID); return err }},
		{"Index", func() error { return second(enginetest.Index(ctx, e)) }},
		{"Purge", func() error { return second(enginetest.Purge(ctx, e)) }},
		{"Retain", func() error { return second(enginetest.Retain(ctx, e)) }},
		{"Run", func() error {
			short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
			defer stop()
			return e.Run(short)
		}},
		{"Doctor", func() error { return second(st.Checks.Doctor(ctx)) }},
		{"Verify", func() error { return second(st.Checks.Verify(ctx, 0)) }},
	}.run(t, "engine")
	w.db.RequireApplied(i.Key)
}
