package ingest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
)

var evt1 = engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"}

type accepted struct {
	Accepted  bool      `json:"accepted"`
	EventID   string    `json:"event_id"`
	TimeoutAt time.Time `json:"timeout_at"`
	Duplicate bool      `json:"duplicate"`
	State     string    `json:"state"`
	Status    string    `json:"status"`
}

func (a answer) accepted(t *testing.T) accepted {
	t.Helper()
	var got accepted
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 202 || !got.Accepted {
		t.Fatalf("answered %d %s (%v)", a.status, a.body, err)
	}
	return got
}

func TestAReceiptIsKeptAndItsSecondIsADuplicate(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	first := s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	if first.Duplicate || time.Until(first.TimeoutAt) < 29*time.Minute || first.TimeoutAt.Location() != time.UTC {
		t.Errorf("first: %+v", first)
	}
	s.db.RequireState(evt1, engine.StateAwaiting)
	second := s.send(request{path: "/v1/receipt", body: receipt(map[string]any{"timeout_minutes": 5})}).accepted(t)
	if !second.Duplicate || second.EventID != first.EventID || !second.TimeoutAt.Equal(first.TimeoutAt) {
		t.Errorf("second: %+v, first %+v", second, first)
	}
	if kinds, err := s.db.Kinds(evt1); err != nil || strings.Join(kinds, " ") != "receipt→awaiting duplicate" {
		t.Errorf("timeline: %v, %v", kinds, err)
	}
	s.db.RequireSound()
}

func TestEveryFieldOfAReceiptArrives(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	got := s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{
		"provider":            "shopify",
		"event_type":          "orders/paid",
		"effect_type":         "access_unlock",
		"shopify_shop_domain": "MyStore.myshopify.com",
		"timeout_minutes":     90,
		"amount":              -1999,
		"currency":            "eur",
		"customer":            "cus_1",
		"version":             "v42",
		"occurred_at":         "2026-03-01T13:30:00.5+01:30",
		"livemode":            true,
		"payload":             map[string]any{"id": 9007199254740993},
		"merchant":            "mystore.myshopify.com",
		"source_event_id":     "evt_source",
		"objects":             []string{"1001", "#1"},
	})}).accepted(t)
	var row string
	err := s.db.Pool.QueryRow(t.Context(), `SELECT concat_ws('|', provider, event_id, event_type, effect, subject, merchant,
		amount, currency, customer, version,
		to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'), deadline - accepted_at, source_event, objects)
		FROM sendpromptly.receipts WHERE effect_id = $1`, got.EventID).
		Scan(&row)
	const want = "shopify|evt_1|orders/paid|access_unlock|acct_1|mystore.myshopify.com|-1999|EUR|cus_1|v42|2026-03-01 " +
		"12:00:00.500|" +
		"01:30:00|evt_source|{1001,#1}"
	if err != nil || row != want {
		t.Errorf("stored %s\nwant   %s (%v)", row, want, err)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.snapshots"); n != 0 {
		t.Error("a payload was kept without snapshots")
	}
}

func TestAMerchantNeedsNoShop(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	body := receipt(map[string]any{"merchant": "acct_connected", "amount": 0, "currency": "EUR"})
	got := s.send(request{path: "/api/v1/receipt", body: body}).accepted(t)
	if got.State != "" {
		t.Errorf("a new receipt says it met the state %s", got.State)
	}
	var merchant, source string
	var amount *int64
	const stored = "SELECT merchant, coalesce(source_event, ''), amount FROM sendpromptly.receipts"
	err := s.db.Pool.QueryRow(t.Context(), stored).Scan(&merchant, &source, &amount)
	if err != nil || merchant != "acct_connected" || source != "" || amount == nil || *amount != 0 {
		t.Errorf("stored %q, %q, %v (%v)", merchant, source, amount, err)
	}
}

// A duplicate is told what it met.
func TestADuplicateSaysWhatItMet(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for _, met := range []struct {
		result map[string]any
		state  string
	}{{nil, "awaiting"}, {map[string]any{"status": "failed"}, "failed"}, {map[string]any{"status": "success"}, "applied"}} {
		s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
		if met.result != nil {
			s.send(request{path: "/api/v1/result", body: result(met.result)}).accepted(t)
		}
		if got := s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t); !got.Duplicate || got.State != met.state {
			t.Errorf("it met %+v, want %s", got, met.state)
		}
	}
}

// The API warns of an incident that a failure opened; a repeated request and a second failure open none.
func TestAFailureThatOpensAnIncidentIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	failed := request{
		path: "/api/v1/result", body: result(map[string]any{"status": "failed"}),
		header: map[string]string{"Idempotency-Key": "failed-1"},
	}
	for range 2 {
		s.send(failed).accepted(t)
	}
	s.send(request{path: "/api/v1/result", body: result(map[string]any{"status": "failed"})}).accepted(t)
	if n := s.log.count("an incident opened"); n != 1 {
		t.Errorf("the incident that opened was logged %d times", n)
	}
	incident := s.db.RequireIncident(evt1, engine.CauseFailed)
	if s.log.count("project=default incident_id="+string(incident.ID)) != 1 {
		t.Error("the line does not name the incident")
	}
}

func TestAnyOtherProviderHasItsOwnTypes(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	s.send(request{
		path: "/api/v1/receipt",
		body: receipt(map[string]any{
			"provider": "paddle", "event_type": "transaction completed", "effect_type": "send_book",
		}),
	}).
		accepted(t)
	s.send(request{path: "/api/v1/result", body: result(nil)}).accepted(t)
	s.db.RequireApplied(engine.Key{Provider: "paddle", EventID: "evt_1", Effect: "send_book"})
}

func TestAPayloadIsKeptSealedWhereSnapshotsAreOn(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	large := strings.Repeat("x", 100<<10)
	q := request{path: "/api/v1/receipt", body: receipt(map[string]any{"payload": map[string]any{"note": large}})}
	if got := s.send(q); got.code() != "payload_too_large" {
		t.Errorf("without snapshots: %d %s", got.status, got.body)
	}
	q.header = s.as("keep")
	s.send(q).accepted(t)
	var sealed []byte
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT sealed FROM sendpromptly.snapshots").Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if len(sealed) < len(large) || strings.Contains(string(sealed), "xxxx") {
		t.Errorf("the snapshot of %d bytes is not sealed", len(sealed))
	}
}

func TestAResultNamesItsEffectInAnyOfTheWays(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for i, change := range []map[string]any{
		{},
		{"provider_event_id": nil, "stripe_event_id": "EVENT"},
		{"stripe_event_id": "EVENT"},
		{"provider_event_id": nil, "event_id": "ID"},
		{"event_id": "ID", "effect_type": "credit_grant", "provider": "stripe"},
		{"replay_id": "0190a000-0000-7000-8000-000000000000", "error_code": nil, "error_message": ""},
	} {
		t.Run(fmt.Sprint(change), func(t *testing.T) {
			event := "evt_way_" + string(rune('a'+i))
			got := s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{"provider_event_id": event})}).accepted(t)
			filled := strings.NewReplacer("EVENT", event, "evt_1", event, `"ID"`, `"`+strings.ToUpper(got.EventID)+`"`).
				Replace(result(change))
			done := s.send(request{path: "/v1/result", body: filled}).accepted(t)
			if done.EventID != got.EventID || done.Status != "success" {
				t.Errorf("%s: %+v", filled, done)
			}
			s.db.For(t).RequireApplied(engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"})
		})
	}
	s.db.RequireSound()
}

func TestAFailedResultOpensAnIncidentAndASuccessResolvesIt(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	done := s.send(request{path: "/api/v1/result", body: result(map[string]any{
		"status": "failed", "error_code": "no_account",
		"error_message": "account \x00 is gone " + strings.Repeat("é", 3000),
	})}).accepted(t)
	if done.Status != "failed" {
		t.Errorf("answered %+v", done)
	}
	incident := s.db.RequireIncident(evt1, engine.CauseFailed)
	if incident.ErrorCode != "no_account" || !strings.HasPrefix(incident.ErrorMessage, "account  is gone é") ||
		utf8.RuneCountInString(incident.ErrorMessage) != 2000 {
		t.Errorf("incident: %q %q", incident.ErrorCode, incident.ErrorMessage)
	}
	s.send(request{path: "/api/v1/result", body: result(nil)}).accepted(t)
	s.db.RequireApplied(evt1)
	// After the success a failure is an entry only.
	s.send(request{path: "/api/v1/result", body: result(map[string]any{"status": "failed"})}).accepted(t)
	s.db.RequireApplied(evt1)
	s.db.RequireSound()
}

func TestAResultThatFitsSeveralEffectsNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for _, change := range []map[string]any{{}, {"effect_type": "access_unlock"}, {"provider": "paddle"}} {
		s.send(request{path: "/api/v1/receipt", body: receipt(change)}).accepted(t)
	}
	for _, test := range []struct {
		change map[string]any
		fields string
	}{
		{nil, "effect_type provider"},
		{map[string]any{"provider": "stripe"}, "effect_type"},
		{map[string]any{"provider_event_id": nil, "stripe_event_id": "evt_1"}, "effect_type"},
		{map[string]any{"effect_type": "credit_grant"}, "provider"},
	} {
		for _, status := range []string{"success", "failed"} {
			if test.change == nil {
				test.change = map[string]any{}
			}
			test.change["status"] = status
			got := s.send(request{path: "/api/v1/result", body: result(test.change)})
			if got.status != 422 || got.code() != "validation_error" || got.fields() != test.fields {
				t.Errorf("%v: %d %s, want details %s", test.change, got.status, got.body, test.fields)
			}
		}
	}
	s.send(request{path: "/api/v1/result", body: result(map[string]any{"provider": "stripe", "effect_type": "credit_grant"})}).
		accepted(t)
	s.db.RequireApplied(evt1)
	s.db.RequireState(engine.Key{Provider: "paddle", EventID: "evt_1", Effect: "credit_grant"}, engine.StateAwaiting)
}

func TestAnotherProjectsEventDoesNotExist(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	got := s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	for _, change := range []map[string]any{
		{},
		{"provider_event_id": nil, "event_id": got.EventID},
		{"status": "failed"},
		{"provider_event_id": nil, "event_id": "00000000-0000-7000-8000-000000000000"},
	} {
		a := s.send(request{path: "/api/v1/result", body: result(change), header: s.as("other")})
		if a.status != 404 || a.code() != "not_found" {
			t.Errorf("%v: %d %s", change, a.status, a.body)
		}
	}
	s.db.RequireState(evt1, engine.StateAwaiting)
}

func TestAnEventOfTheOtherModeIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	live := s.as("other")
	if got := s.send(
		request{path: "/api/v1/receipt", body: receipt(map[string]any{"livemode": false}), header: live},
	); got.fields() != "livemode" {
		t.Errorf("a test event in a live project: %d %s", got.status, got.body)
	}
	s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{"livemode": true}), header: live}).accepted(t)
	s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{"livemode": false})}).accepted(t)
}

// What an app records in its own transaction is never refused.
func TestASuspendedProjectStillWatchesItsApp(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	if got := s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: s.as("paused")}); got.status != 402 {
		t.Errorf("over HTTP: %d %s", got.status, got.body)
	}
	e := s.db.Engine(engine.Config{Project: "paused"})
	err := pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		if _, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: evt1}); err != nil {
			return err
		}
		return e.Succeed(t.Context(), tx, evt1)
	})
	if effect, findErr := e.Find(t.Context(), evt1); err != nil || effect.State != engine.StateApplied {
		t.Errorf("in the app: %v, %s, %v", err, effect.State, findErr)
	}
}
