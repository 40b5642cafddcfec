package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

const zeroID = "00000000-0000-0000-0000-000000000000"

var (
	nul       = "a\x00b"
	notUTF8   = "caf\xe9"
	surrogate = "half\xed\xa0\x80"
	tooLong   = strings.Repeat("x", 10_000)
)

// keyCalls are the calls that take a key, in the caller's transaction or not.
func keyCalls(e *engine.Engine) map[string]func(ctx context.Context, tx pgx.Tx, k engine.Key) error {
	return map[string]func(ctx context.Context, tx pgx.Tx, k engine.Key) error{
		"Accept": func(ctx context.Context, tx pgx.Tx, k engine.Key) error {
			_, err := e.Accept(ctx, tx, engine.Acceptance{Key: k})
			return err
		},
		"QueueAccept": func(_ context.Context, _ pgx.Tx, k engine.Key) error {
			return e.QueueAccept(&pgx.Batch{}, engine.Acceptance{Key: k}, nil)
		},
		"AcceptMany": func(ctx context.Context, tx pgx.Tx, k engine.Key) error {
			_, err := e.AcceptMany(ctx, tx, []engine.Acceptance{{Key: key("evt_fine")}, {Key: k}})
			return unlisted(err, "list[1].")
		},
		"Succeed":      func(ctx context.Context, tx pgx.Tx, k engine.Key) error { return e.Succeed(ctx, tx, k) },
		"QueueSucceed": func(_ context.Context, _ pgx.Tx, k engine.Key) error { return e.QueueSucceed(&pgx.Batch{}, k) },
		"Fail":         func(ctx context.Context, _ pgx.Tx, k engine.Key) error { return e.Fail(ctx, k, errNoAccount) },
		"Apply":        func(ctx context.Context, _ pgx.Tx, k engine.Key) error { return e.Apply(ctx, k, works) },
		"Find":         func(ctx context.Context, _ pgx.Tx, k engine.Key) error { _, err := e.Find(ctx, k); return err },
	}
}

// unlisted takes the position out of the field's name, which must have it.
func unlisted(err error, position string) error {
	var wrong *engine.FieldError
	if errors.As(err, &wrong) && strings.HasPrefix(wrong.Field, position) {
		return &engine.FieldError{Field: strings.TrimPrefix(wrong.Field, position), Reason: wrong.Reason}
	}
	return err
}

// payment is the caller's own transaction, with a row of its own in it.
func payment(t *testing.T, db *enginetest.Database) pgx.Tx {
	t.Helper()
	run(t, db.Pool, `CREATE TABLE public.orders (n int)`)
	tx := open(t, db.Pool, pgx.TxOptions{})
	run(t, tx, `INSERT INTO public.orders VALUES (1)`)
	return tx
}

// requireUsable commits the caller's transaction and looks for its row: no
// refused call may have aborted it, and none may have written anything.
func requireUsable(t *testing.T, db *enginetest.Database, tx pgx.Tx) {
	t.Helper()
	run(t, tx, `INSERT INTO public.orders VALUES (2)`)
	finish(t, tx, true)
	if n := read[int](t, db.Pool, `SELECT count(*) FROM public.orders`); n != 2 {
		t.Errorf("%d of the caller's own rows are there, want 2", n)
	}
	if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.effects`); n != 0 {
		t.Errorf("%d effects were accepted from bad input", n)
	}
}

// Each part of a key that Postgres or an index would refuse is refused before
// anything is sent, by every call, with the part's name. It catches the one call
// that forgets to validate, which would abort the payment's transaction.
func TestABadKeyIsRefusedByEveryCallAndAbortsNothing(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AdoptUnknown: true})
	tx := payment(t, db)
	bad := []string{"", nul, notUTF8, surrogate, tooLong, "a b", "a\tb", "a\u00a0b", "a\u0085b", "line\n"}
	for name, call := range keyCalls(e) {
		for field, more := range map[string][]string{
			"Provider": {"Stripe", "stripé", "a.b", strings.Repeat("x", 65)},
			"EventID":  {strings.Repeat("x", 256), "evt_\u2028"}, "Effect": {strings.Repeat("é", 65)},
		} {
			for _, text := range append(more, bad...) {
				k := key("evt_1")
				switch field {
				case "Provider":
					k.Provider = text
				case "EventID":
					k.EventID = text
				case "Effect":
					k.Effect = text
				}
				if err := call(t.Context(), tx, k); !isField(err, field) {
					t.Errorf("%s with %s %.20q: error = %v", name, field, text, err)
				}
			}
		}
	}
	requireUsable(t, db, tx)
}

// Everything else that an acceptance can hold and Postgres, pgx or JSON could
// not keep as it is.
func TestABadAcceptanceIsRefusedAndAbortsNothing(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET snapshots = true`)
	e := db.Engine(engine.Config{SecretKey: testSecretKey})
	tx := payment(t, db)
	bad := map[string][]func(a *engine.Acceptance){}
	for _, text := range []string{nul, notUTF8, surrogate, tooLong} {
		bad["EventType"] = append(bad["EventType"], func(a *engine.Acceptance) { a.EventType = text })
		bad["Subject"] = append(bad["Subject"], func(a *engine.Acceptance) { a.Subject = text })
		bad["Merchant"] = append(bad["Merchant"], func(a *engine.Acceptance) { a.Merchant = text })
		bad["SourceEvent"] = append(bad["SourceEvent"], func(a *engine.Acceptance) { a.SourceEvent = text })
		bad["Customer"] = append(bad["Customer"], func(a *engine.Acceptance) { a.Customer = text })
		bad["Version"] = append(bad["Version"], func(a *engine.Acceptance) { a.Version = text })
		bad["Mode"] = append(bad["Mode"], func(a *engine.Acceptance) { a.Mode = text })
	}
	for _, objects := range [][]string{{""}, {"in_1", nul}, {notUTF8}, {surrogate}, {tooLong}, {"a b"}, make([]string, 17)} {
		bad["Objects"] = append(bad["Objects"], func(a *engine.Acceptance) { a.Objects = objects })
	}
	for _, at := range []time.Time{
		time.Date(1, 6, 1, 0, 0, 0, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(600000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(math.MaxInt64, 0),
		time.Unix(math.MinInt64, 0),
		time.Unix(math.MaxInt64, math.MaxInt64),
		time.Unix(-1, 0),
	} {
		bad["OccurredAt"] = append(bad["OccurredAt"], func(a *engine.Acceptance) { a.OccurredAt = at })
	}
	for _, timeout := range []time.Duration{
		-1, -time.Hour, math.MinInt64, 1, 999 * time.Millisecond, 30*24*time.Hour + 1, math.MaxInt64,
	} {
		bad["Timeout"] = append(bad["Timeout"], func(a *engine.Acceptance) { a.Timeout = timeout })
	}
	for _, currency := range []string{"E", "EURO", "E1R", "E\x00R", "\xff\xff\xff", "é1", "eu "} {
		bad["Amount.Currency"] = append(
			bad["Amount.Currency"],
			func(a *engine.Acceptance) { a.Amount = engine.Money{Minor: 1, Currency: currency} },
		)
	}
	for _, payload := range []string{
		"{", "nul\x00l", `"` + notUTF8 + `"`, `"\ud800"`, `"\udc00\ud800"`, `{"a":NaN}`, `"` + strings.Repeat("x", 512<<10) + `"`,
		"{} {}",
	} {
		bad["Payload"] = append(bad["Payload"], func(a *engine.Acceptance) { a.Payload = json.RawMessage(payload) })
	}
	for field, spoils := range bad {
		for i, spoil := range spoils {
			a := engine.Acceptance{Key: key("evt_1")}
			spoil(&a)
			_, err := e.Accept(t.Context(), tx, a)
			_, inList := e.AcceptMany(t.Context(), tx, []engine.Acceptance{{Key: key("evt_fine")}, a})
			queued := e.QueueAccept(&pgx.Batch{}, a, nil)
			for call, err := range map[string]error{"Accept": err, "AcceptMany": unlisted(inList, "list[1]."), "QueueAccept": queued} {
				if !isField(err, field) {
					t.Errorf("%s with bad %s, number %d: error = %v", call, field, i, err)
				}
			}
		}
	}
	requireUsable(t, db, tx)
}

func isField(err error, field string) bool {
	var wrong *engine.FieldError
	return errors.As(err, &wrong) && wrong.Field == field && wrong.Reason != ""
}

// What operators and readers pass is validated alike.
func TestBadIDsOperatorsAndFiltersAreRefused(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	ctx := t.Context()
	const good = "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
	withID := map[string]func(id string) error{
		"Incident":  func(id string) error { _, err := e.Incident(ctx, engine.IncidentID(id)); return err },
		"Timeline":  func(id string) error { _, err := e.Timeline(ctx, engine.EffectID(id), 0); return err },
		"Reprocess": func(id string) error { _, err := e.Reprocess(ctx, engine.IncidentID(id), "ada"); return err },
		"Stop":      func(id string) error { _, err := e.Stop(ctx, engine.IncidentID(id), "ada"); return err },
		"Close":     func(id string) error { return e.CloseIncident(ctx, engine.IncidentID(id), "ada", "refunded") },
	}
	for name, call := range withID {
		for _, id := range []string{
			"", zeroID, "x", nul, notUTF8, tooLong, "'; DROP TABLE x; --", good + " ", strings.ReplaceAll(good, "-", ""),
		} {
			if err := call(id); !isField(err, "id") {
				t.Errorf("%s with id %.20q: error = %v", name, id, err)
			}
		}
		if err := call(good); name != "Timeline" && !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s with an unknown id: error = %v", name, err)
		}
	}
	for _, by := range []string{"", nul, notUTF8, surrogate, tooLong} {
		_, reprocess := e.Reprocess(ctx, good, engine.Operator(by))
		_, stop := e.Stop(ctx, good, engine.Operator(by))
		for name, err := range map[string]error{
			"Reprocess": reprocess,
			"Stop":      stop,
			"Close":     e.CloseIncident(ctx, good, engine.Operator(by), "refunded"),
		} {
			if !isField(err, "by") {
				t.Errorf("%s by %.20q: error = %v", name, by, err)
			}
		}
	}
	for _, note := range []string{"", "\x00", "\x00\x00"} {
		requireField(t, e.CloseIncident(ctx, good, "ada", note), "note")
	}
	for field, filters := range map[string][]engine.IncidentFilter{
		"Limit":  {{Limit: -1}, {Limit: 501}, {Limit: math.MinInt}, {Limit: math.MaxInt}},
		"Before": {{Before: zeroID}, {Before: "x"}, {Before: engine.IncidentID(nul)}},
		"State":  {{State: engine.State(nul)}}, "Cause": {{Cause: engine.Cause(notUTF8)}}, "Provider": {{Provider: tooLong}},
		"EventType": {{EventType: surrogate}},
		"Effect":    {{Effect: nul}},
		"Term":      {{Term: nul}, {Term: notUTF8}, {Term: tooLong, Open: true}},
	} {
		for _, f := range filters {
			_, err := e.Incidents(ctx, f)
			requireField(t, err, field)
		}
	}
}

// Limits count characters, on every way to the same column.
func TestTheLongestKeyOfTheLongestCharactersIsTaken(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	longest := engine.Key{Provider: strings.Repeat("p", 64), EventID: strings.Repeat("😀", 255), Effect: strings.Repeat("😀", 64)}
	accept(t, db, e, engine.Acceptance{Key: longest, Subject: strings.Repeat("я", 255), EventType: strings.Repeat("я", 128)})
	if err := e.Fail(t.Context(), longest, errors.New(strings.Repeat("я", 1500))); err != nil {
		t.Fatal(err)
	}
	if i := db.RequireIncident(
		longest,
		engine.CauseFailed,
	); i.ErrorMessage != strings.Repeat("я", 1500) ||
		i.Subject != strings.Repeat("я", 255) {
		t.Errorf("kept %d bytes of the message, %d of the subject", len(i.ErrorMessage), len(i.Subject))
	}
	db.RequireSound()
}

// An operator's own words are kept whole or refused, and counted in characters.
func TestANoteIsKeptWholeOrRefused(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	incident := missing(t, db, e, key("evt_1"))[0]
	for _, note := range []string{strings.Repeat("я", 2001), "a\x00b", "\xff", "", " \n"} {
		requireField(t, e.CloseIncident(t.Context(), incident.ID, "ada", note), "note")
		requireField(t, e.Note(t.Context(), incident.ID, "ada", note), "note")
	}
	note := strings.Repeat("я", 2000)
	if err := e.CloseIncident(t.Context(), incident.ID, "ada", note); err != nil {
		t.Fatal(err)
	}
	if now, err := e.Incident(t.Context(), incident.ID); err != nil || now.Note != note {
		t.Errorf("note of %d bytes, %v, want %d", len(now.Note), err, len(note))
	}
	db.RequireSound()
}

// nilTx is a transaction of somebody else's making, which may be nil as well.
type nilTx struct{ pgx.Tx }

// Nothing that is nil makes a call panic.
func TestNilArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	for name, tx := range map[string]pgx.Tx{
		"nil":                 nil,
		"nil of the pool's":   (*pgxpool.Tx)(nil),
		"nil of another kind": (*nilTx)(nil),
	} {
		_, accepting := e.Accept(t.Context(), tx, engine.Acceptance{Key: k})
		_, listing := e.AcceptMany(t.Context(), tx, []engine.Acceptance{{Key: k}})
		_, listingNothing := e.AcceptMany(t.Context(), tx, nil)
		for call, err := range map[string]error{
			"Accept":                accepting,
			"AcceptMany":            listing,
			"AcceptMany of nothing": listingNothing,
			"Succeed":               e.Succeed(t.Context(), tx, k),
		} {
			if !isField(err, "tx") {
				t.Errorf("%s with %s: error = %v", call, name, err)
			}
		}
	}
	requireField(t, e.QueueAccept(nil, engine.Acceptance{Key: k}, nil), "batch")
	requireField(t, e.QueueSucceed(nil, k), "batch")
	requireField(t, e.Apply(t.Context(), k, nil), "effect")
	_, err := engine.New(t.Context(), nil, engine.Config{})
	requireField(t, err, "pool")
	requireField(t, engine.Migrate(t.Context(), nil), "pool")
	if engine.WillRetry(nil) != nil || engine.Permanent(nil) != nil {
		t.Error("a mark makes an error of nil")
	}
	accept(t, db, e, engine.Acceptance{Key: k})
	if err := e.Fail(t.Context(), k, nil, nil, engine.WithCode("e1"), nil); err != nil {
		t.Errorf("Fail with nil options: %v", err)
	}
	if err := succeed(t.Context(), db.Pool, e, k, nil); err != nil {
		t.Errorf("Succeed with a nil option: %v", err)
	}
	for queued, name := range map[bool]string{false: "RepairHandler", true: "EnqueueHandler"} {
		p := newEndpoint(t, queued)
		p.handler = p.e.RepairHandler(nil)
		if queued {
			p.handler = p.e.EnqueueHandler(nil)
		}
		p.ask(k)
		requireAnswer(t, name+" of nil", p.post(p.sent()), 503, "try_again")
	}
}

// A configuration that cannot work is refused with the field's name.
func TestABadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	for field, configs := range map[string][]engine.Config{
		"Config.SweepInterval": {
			{SweepInterval: -1},
			{SweepInterval: time.Millisecond},
			{SweepInterval: math.MinInt64},
			{SweepInterval: 2 * time.Hour},
		},
		"Config.Project":   {{Project: "nobody's"}, {Project: nul}, {Project: notUTF8}, {Project: tooLong}},
		"Config.SecretKey": {{SecretKey: "short"}, {SecretKey: nul}},
	} {
		for _, cfg := range configs {
			_, err := engine.New(t.Context(), db.Pool, cfg)
			requireField(t, err, field)
		}
	}
}
