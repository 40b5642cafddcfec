package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const testSecretKey = "dGVzdCBzZWNyZXQga2V5IG9mIDMyIGJ5dGVzIGxvbmc="

// TestEveryQueryModeWorksWithAnEmptySearchPath calls everything that sends SQL
// in each of pgx's modes: a wrong argument shape fails in some of them only,
// and a name without its schema fails at once.
func TestEveryQueryModeWorksWithAnEmptySearchPath(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			cfg, err := pgxpool.ParseConfig(db.URL)
			if err != nil {
				t.Fatal(err)
			}
			cfg.ConnConfig.DefaultQueryExecMode = mode
			cfg.ConnConfig.RuntimeParams["search_path"] = ""
			pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			db.Pool = pool
			everyCall(t, db)
			runsQuietly(t, db)
		})
	}
}

// runsQuietly lets an engine run until it was seen among the running ones; none of its steps may complain.
func runsQuietly(t *testing.T, db *enginetest.Database) {
	t.Helper()
	var log bytes.Buffer
	e := db.Engine(engine.Config{SweepInterval: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := start(func() error { return e.Run(ctx) })
	eventually(t, "a heartbeat", func() bool {
		return read[bool](t, db.Pool, "SELECT EXISTS (SELECT FROM sendpromptly.engines)")
	})
	stop()
	if err := receive(t, "Run ends", ended); err != nil || log.Len() > 0 {
		t.Errorf("Run = %v, and it logged %s", err, log.String())
	}
}

// everyCall drives each exported call that sends SQL, with every field set.
func everyCall(t *testing.T, db *enginetest.Database) {
	ctx := t.Context()
	st, err := rooms.Open(db.Pool, testSecretKey)
	if err != nil {
		t.Fatal(err)
	}
	yes, url, timeout := true, "http://127.0.0.1:1/repair", time.Hour
	if _, _, err := st.Projects.Create(
		ctx,
		"billing",
		projects.Settings{RepairURL: &url, Snapshots: &yes, Timeout: &timeout},
		loopback,
		"ada",
	); err != nil {
		t.Fatal(err)
	}
	e := db.Engine(engine.Config{Project: "billing", AllowNetworks: loopback, SecretKey: testSecretKey})
	full := engine.Acceptance{
		Key:         key("evt_full"),
		EventType:   "invoice.paid",
		Subject:     "acct_ö",
		Merchant:    "a.myshopify.com",
		SourceEvent: "evt_told",
		OccurredAt: time.Date(
			2026,
			1,
			2,
			3,
			4,
			5,
			6000,
			time.UTC,
		),
		Timeout:  90 * time.Second,
		Amount:   engine.Money{Minor: -1999, Currency: "eur"},
		Customer: "cus_1",
		Version:  "v1",
		Objects:  []string{"in_1", "9007199254740993"},
		Payload:  json.RawMessage(`{"id":9007199254740993,"a":"\u00e9"}`),
	}
	receipt := accept(t, db, e, full)
	if again := accept(
		t,
		db,
		e,
		full,
	); !again.Duplicate || again.EffectID != receipt.EffectID ||
		!again.Deadline.Equal(receipt.Deadline) {
		t.Fatalf("again = %+v, want a duplicate of %+v", again, receipt)
	}
	acceptTheRest(t, db, e)

	if err := e.Fail(ctx, full.Key, errors.New("card table is gone"), engine.WithCode("no_table")); err != nil {
		t.Fatal(err)
	}
	incident, err := enginetest.IncidentOf(ctx, e, full.Key)
	if err != nil {
		t.Fatal(err)
	}
	want := full
	want.Payload, want.Amount.Currency = nil, "EUR"
	if diff := cmp.Diff(want, incident.Acceptance); diff != "" {
		t.Errorf("what was accepted came back changed (-want +got):\n%s", diff)
	}
	readAll(t, e, incident)
	repairOverTheWire(t, db, st, e, incident, full.Payload)

	for step, run := range map[string]func(context.Context, *engine.Engine) (int, error){
		"seal": enginetest.Seal, "index": enginetest.Index, "purge": enginetest.Purge, "sweep": enginetest.Sweep,
	} {
		if _, err := run(ctx, e); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	if _, err := st.Checks.Doctor(ctx); err != nil {
		t.Errorf("doctor: %v", err)
	}
	db.RequireSound()
}

// acceptTheRest uses the list and the batch forms.
func acceptTheRest(t *testing.T, db *enginetest.Database, e *engine.Engine) {
	t.Helper()
	ctx := t.Context()
	queued, succeeded := key("evt_queued"), key("evt_succeeded")
	err := pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
		list, err := e.AcceptMany(
			ctx,
			tx,
			[]engine.Acceptance{{Key: key("evt_b"), Timeout: time.Minute, Objects: []string{"x"}}, {Key: succeeded}, {Key: key("evt_b")}},
		)
		if err != nil {
			return err
		}
		if len(list) != 3 || list[0].Duplicate || list[1].Duplicate || !list[2].Duplicate || list[0].EffectID != list[2].EffectID {
			t.Errorf("list = %+v", list)
		}
		var receipt engine.Receipt
		batch := &pgx.Batch{}
		if err := e.QueueAccept(
			batch,
			engine.Acceptance{Key: queued},
			func(r engine.Receipt) error { receipt = r; return nil },
		); err != nil {
			return err
		}
		if err := e.QueueSucceed(batch, succeeded); err != nil {
			return err
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if receipt.EffectID == "" || receipt.Duplicate {
			t.Errorf("receipt = %+v", receipt)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(ctx, queued, func(context.Context, pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, k := range []engine.Key{queued, succeeded} {
		if found, err := e.Find(ctx, k); err != nil || found.State != engine.StateApplied {
			t.Errorf("%s is %s, %v", k, found.State, err)
		}
	}
}

// readAll uses every reading call and filter.
func readAll(t *testing.T, e *engine.Engine, incident engine.Incident) {
	t.Helper()
	ctx := t.Context()
	if _, err := enginetest.Index(ctx, e); err != nil {
		t.Fatal(err)
	}
	for name, filter := range map[string]engine.IncidentFilter{
		"all": {}, "open": {Open: true}, "state": {State: engine.StateFailed}, "cause": {Cause: engine.CauseFailed},
		"provider": {Provider: "stripe"}, "event type": {EventType: "invoice.paid"}, "effect": {Effect: "credit_grant", Open: true},
		"subject": {Term: "ACCT_ö"}, "customer": {Term: "cus_1"}, "object": {Term: "9007199254740993", Open: true},
	} {
		page, err := e.Incidents(ctx, filter)
		if err != nil || len(page.Incidents) != 1 || page.Incidents[0].ID != incident.ID || page.Next != "" {
			t.Errorf("filter %s: %d incidents, %v", name, len(page.Incidents), err)
		}
	}
	for name, filter := range map[string]engine.IncidentFilter{
		"state":    {State: engine.StateClosed},
		"term":     {Term: "nobody"},
		"provider": {Provider: "shopify", Open: true},
		"before":   {Before: incident.ID},
	} {
		if page, err := e.Incidents(ctx, filter); err != nil || len(page.Incidents) != 0 {
			t.Errorf("other %s: %d incidents, %v", name, len(page.Incidents), err)
		}
	}
	if got, err := e.Incident(ctx, incident.ID); err != nil || got.EffectID != incident.EffectID {
		t.Errorf("Incident = %+v, %v", got, err)
	}
	for change, err := range e.Changes(ctx, "") {
		if err != nil || change.Cursor == "" {
			t.Errorf("change = %+v, %v", change, err)
		}
		if change.ID == string(incident.ID) {
			break
		}
	}
}

// repairOverTheWire lets the handler answer a delivered callback, payload included.
func repairOverTheWire(
	t *testing.T,
	db *enginetest.Database,
	st *rooms.Rooms,
	e *engine.Engine,
	incident engine.Incident,
	payload json.RawMessage,
) {
	t.Helper()
	ctx := t.Context()
	server := httptest.NewServer(e.RepairHandler(func(_ context.Context, _ pgx.Tx, r engine.Repair) error {
		if string(r.Payload) != string(payload) {
			t.Errorf("payload = %s, want %s", r.Payload, payload)
		}
		return nil
	}))
	defer server.Close()
	if _, err := st.Projects.Set(ctx, "billing", projects.Settings{RepairURL: &server.URL}, loopback, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reprocess(ctx, incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if sent, err := enginetest.Deliver(ctx, e); sent != 1 || err != nil {
		t.Fatalf("Deliver = %d, %v", sent, err)
	}
	if found, err := e.Find(ctx, incident.Key); err != nil || found.State != engine.StateApplied {
		t.Fatalf("%s is %s, %v", incident.Key, found.State, err)
	}
	if _, err := e.Stop(ctx, incident.ID, "ada"); err != nil {
		t.Error(err)
	}
	if err := e.CloseIncident(ctx, incident.ID, "ada", "x"); err == nil {
		t.Error("an applied effect was closed")
	}
}
