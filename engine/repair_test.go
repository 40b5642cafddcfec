package engine_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

// endpoint is the app's repair endpoint, and the sender's side of it by hand.
type endpoint struct {
	t       *testing.T
	db      *enginetest.Database
	e       *engine.Engine
	handler http.Handler
	secret  string

	// incident and attempt are what the requests are about.
	incident engine.Incident
	attempt  engine.Attempt

	// result is what the app's function does; runs counts it.
	result func(tx pgx.Tx, r engine.Repair) error
	runs   atomic.Int64
}

func newEndpoint(t *testing.T, queued bool) *endpoint {
	t.Helper()
	db := enginetest.New(t)
	p := &endpoint{t: t, db: db, e: engineOn(t, newPool(t, db, "app", 16), engine.Config{AllowNetworks: loopback})}
	server := httptest.NewServer(http.NotFoundHandler()) // only its address matters
	t.Cleanup(server.Close)
	repairAt(t, db, server)
	p.secret = read[string](t, db.Pool, `SELECT convert_from(secret, 'UTF8') FROM sendpromptly.callback_secrets`)
	do := func(_ context.Context, tx pgx.Tx, r engine.Repair) error {
		p.runs.Add(1)
		return p.result(tx, r)
	}
	p.handler = p.e.RepairHandler(do)
	if queued {
		p.handler = p.e.EnqueueHandler(do)
	}
	return p
}

// ask opens an incident and asks for its repair.
func (p *endpoint) ask(k engine.Key) {
	p.t.Helper()
	p.incident = missing(p.t, p.db, p.e, k)[0]
	p.runs.Store(0)
	p.result = func(pgx.Tx, engine.Repair) error { return nil }
	p.again()
}

// again asks for one more attempt.
func (p *endpoint) again() {
	p.t.Helper()
	var err error
	if p.attempt, err = p.e.Reprocess(p.t.Context(), p.incident.ID, "ada"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *endpoint) stop() {
	p.t.Helper()
	if _, err := p.e.Stop(p.t.Context(), p.incident.ID, "ada"); err != nil {
		p.t.Fatal(err)
	}
}

// sent is a request before it leaves; each field may be changed.
type sent struct {
	body   callback.Body
	raw    []byte // instead of body
	method string
	nonce  string
	secret string
	at     time.Time
	tamper func(r *http.Request)
}

func (p *endpoint) sent() sent {
	i := p.incident
	return sent{
		method: http.MethodPost, nonce: strings.ReplaceAll(id.New(), "-", ""), secret: p.secret,
		at: read[time.Time](p.t, p.db.Pool, `SELECT sendpromptly.clock()`),
		body: callback.Body{
			Type: callback.TypeReprocess, ReplayID: p.attempt.ReplayID, Attempt: p.attempt.Number, Project: "default",
			EventID: string(i.EffectID), IncidentID: string(i.ID), Provider: i.Provider, ProviderEventID: i.EventID,
			EffectType: i.Effect, Cause: string(i.Cause), RequestedAt: p.attempt.RequestedAt,
		},
	}
}

// post signs a request, gives it to the handler and returns the answer.
func (p *endpoint) post(s sent) *httptest.ResponseRecorder {
	p.t.Helper()
	raw := s.raw
	if raw == nil {
		var err error
		if raw, err = s.body.Encode(); err != nil {
			p.t.Error(err)
		}
	}
	r := httptest.NewRequestWithContext(p.t.Context(), s.method, "/repair", bytes.NewReader(raw))
	var err error
	if r.Header, err = callback.Headers([]string{s.secret}, p.attempt.ReplayID, s.nonce, s.at, raw, false); err != nil {
		p.t.Error(err)
	}
	if s.tamper != nil {
		s.tamper(r)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// requireAnswer checks a status and the whole body.
func requireAnswer(t *testing.T, name string, w *httptest.ResponseRecorder, status int, result string) {
	t.Helper()
	if want := `{"result":"` + result + `"}` + "\n"; w.Code != status || w.Body.String() != want {
		t.Errorf("%s: answer %d %s, want %d %s", name, w.Code, w.Body, status, want)
	}
	if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: headers %v", name, w.Header())
	}
	if retry := w.Header().Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("%s: Retry-After is %q", name, retry)
	}
}

const askedFor = "receipt→awaiting deadline→missing opened reprocess→reprocessing"

// Each row of RepairHandler's answer table: the status, whether the repair ran,
// and what the timeline says afterwards. It catches a wrong status, which would
// make our sender stop or go on wrongly, a repair run on a request that proves
// nothing, and an error that leaks into the answer.
func TestTheRepairEndpointAnswersEachCase(t *testing.T) {
	t.Parallel()
	secretError := errors.New("the table credits_2024 is gone")
	p := newEndpoint(t, false)
	fails := func(err error) func(p *endpoint, s *sent) {
		return func(p *endpoint, _ *sent) { p.result = func(pgx.Tx, engine.Repair) error { return err } }
	}
	for _, test := range []struct {
		name    string
		prepare func(p *endpoint, s *sent)
		status  int
		result  string
		runs    int64
		story   string
	}{
		{"applied now", func(*endpoint, *sent) {}, 200, "applied", 1, "success→applied resolved"},
		{"applied before", func(p *endpoint, _ *sent) {
			if err := succeed(t.Context(), p.db.Pool, p.e, p.incident.Key); err != nil {
				t.Fatal(err)
			}
		}, 200, "applied", 0, "success→applied resolved"},
		{"breaks", fails(secretError), 503, "try_again", 1, "note"},
		{"breaks for good", fails(engine.Permanent(secretError)), 422, "repair_failed", 1, "failure→failed"},
		{"panics", func(p *endpoint, _ *sent) {
			p.result = func(pgx.Tx, engine.Repair) error { panic(secretError) }
		}, 503, "try_again", 1, "note"},
		{"loses its transaction", func(p *endpoint, _ *sent) {
			p.result = func(tx pgx.Tx, _ engine.Repair) error { return tx.Rollback(t.Context()) }
		}, 503, "try_again", 1, "note"},
		{"stopped", func(p *endpoint, _ *sent) { p.stop() }, 409, "not_the_current_attempt", 0, "stopped→failed"},
		{
			"an older attempt", func(p *endpoint, _ *sent) { p.stop(); p.again() }, 409, "not_the_current_attempt", 0,
			"stopped→failed reprocess→reprocessing",
		},
		{"closed", func(p *endpoint, _ *sent) {
			p.stop()
			if err := p.e.CloseIncident(t.Context(), p.incident.ID, "ada", "refunded"); err != nil {
				t.Fatal(err)
			}
		}, 409, "not_the_current_attempt", 0, "stopped→failed closed→closed"},
		{"a type of the future", func(_ *endpoint, s *sent) { s.body.Type = "effect.plan" }, 422, "request_not_understood", 0, ""},
		{"another project", func(_ *endpoint, s *sent) { s.body.Project = "billing" }, 422, "request_not_understood", 0, ""},
		{"an effect we do not have", func(_ *endpoint, s *sent) { s.body.EventID = id.New() }, 422, "request_not_understood", 0, ""},
		{"a zero id", func(_ *endpoint, s *sent) {
			s.body.EventID = "00000000-0000-0000-0000-000000000000"
		}, 422, "request_not_understood", 0, ""},
		{"a replay id that is none", func(_ *endpoint, s *sent) { s.body.ReplayID = "rp_1" }, 422, "request_not_understood", 0, ""},
		{"an incident id that is none", func(_ *endpoint, s *sent) { s.body.IncidentID = "'" }, 422, "request_not_understood", 0, ""},
		{"not JSON", func(_ *endpoint, s *sent) { s.raw = []byte("{") }, 422, "request_not_understood", 0, ""},
		{"nothing", func(_ *endpoint, s *sent) { s.raw = []byte{} }, 422, "request_not_understood", 0, ""},
		{"another secret", func(_ *endpoint, s *sent) { s.secret = callback.NewSecret() }, 401, "signature_refused", 0, ""},
		{"too old", func(_ *endpoint, s *sent) { s.at = s.at.Add(-302 * time.Second) }, 401, "signature_refused", 0, ""},
		{"from the future", func(_ *endpoint, s *sent) { s.at = s.at.Add(330 * time.Second) }, 401, "signature_refused", 0, ""},
		{"altered", func(_ *endpoint, s *sent) {
			s.tamper = func(r *http.Request) { r.Body = http.NoBody }
		}, 401, "signature_refused", 0, ""},
		{"unsigned", func(_ *endpoint, s *sent) {
			s.tamper = func(r *http.Request) { r.Header = http.Header{} }
		}, 401, "signature_refused", 0, ""},
		{"only the other scheme", func(_ *endpoint, s *sent) {
			s.tamper = func(r *http.Request) { r.Header.Del(callback.SignatureHeader) }
		}, 401, "signature_refused", 0, ""},
		{"GET", func(_ *endpoint, s *sent) { s.method = http.MethodGet }, 405, "post_only", 0, ""},
		{"too large", func(_ *endpoint, s *sent) { s.raw = make([]byte, 1<<20+1) }, 413, "too_large", 0, ""},
	} {
		p.ask(key("evt_" + strings.ReplaceAll(test.name, " ", "_")))
		s := p.sent()
		test.prepare(p, &s)
		requireAnswer(t, test.name, p.post(s), test.status, test.result)
		if got := p.runs.Load(); got != test.runs {
			t.Errorf("%s: the repair ran %d times, want %d", test.name, got, test.runs)
		}
		requireStory(t, p.db, p.incident.Key, strings.TrimSpace(askedFor+" "+test.story))
	}
	for message, want := range map[string]int{secretError.Error(): 1, "panic: " + secretError.Error(): 1, "tx is closed": 1} {
		if got := read[int](
			t,
			p.db.Pool,
			`SELECT count(*) FROM sendpromptly.entries WHERE kind = 'note' AND error_message = $1`,
			message,
		); got != want {
			t.Errorf("%d notes say %q, want %d", got, message, want)
		}
	}
	p.db.RequireSound()
}

// A 405 says what is allowed.
func TestTheRepairEndpointTakesPostOnly(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, false)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/repair", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// While a worker applies the effect, the callback is not kept waiting: busy, with
// a wish to come back, nothing run and nothing entered. Afterwards it is applied.
// It catches a handler that waits for the row until our sender gives up.
func TestTheRepairEndpointIsBusyWhileAWorkerHoldsTheEffect(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, false)
	p.ask(key("evt_1"))
	running := make(chan struct{})
	release, letGo := newGate(t)
	worker := start(func() error {
		return p.e.Apply(t.Context(), p.incident.Key, func(context.Context, pgx.Tx) error { close(running); <-release; return nil })
	})
	receive(t, "the worker runs", running)
	s := p.sent()
	answer := receive(t, "the answer does not wait for the worker", start(func() *httptest.ResponseRecorder { return p.post(s) }))
	requireAnswer(t, "busy", answer, 503, "busy")
	letGo()
	if err := receive(t, "the worker ends", worker); err != nil {
		t.Fatal(err)
	}
	requireAnswer(t, "the same request afterwards", p.post(s), 200, "applied")
	if p.runs.Load() != 0 {
		t.Error("the repair ran although the worker applied the effect")
	}
	requireStory(t, p.db, p.incident.Key, askedFor+" success→applied resolved")
	p.db.RequireSound()
}

// The same request again gets its stored answer without a second run, whatever
// became of the effect meanwhile; its nonce under another body is refused. What
// was answered with 503 is not stored: it may be tried again.
func TestAReplayedRequestGetsItsStoredAnswer(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, false)
	p.ask(key("evt_applied"))
	applied := p.sent()
	requireAnswer(t, "first", p.post(applied), 200, "applied")
	requireAnswer(t, "replay", p.post(applied), 200, "applied")

	p.ask(key("evt_failed"))
	p.result = func(pgx.Tx, engine.Repair) error { return engine.Permanent(errNoAccount) }
	failed := p.sent()
	requireAnswer(t, "first", p.post(failed), 422, "repair_failed")
	p.again()
	requireAnswer(t, "replay after another reprocess", p.post(failed), 422, "repair_failed")
	if p.runs.Load() != 1 {
		t.Errorf("the repair ran %d times", p.runs.Load())
	}

	p.ask(key("evt_reused"))
	other := p.sent()
	other.nonce = applied.nonce
	requireAnswer(t, "a used nonce with another body", p.post(other), 401, "nonce_reused")
	if p.runs.Load() != 0 {
		t.Error("the repair ran for a used nonce")
	}
	requireStory(t, p.db, p.incident.Key, askedFor)

	p.ask(key("evt_retried"))
	p.result = func(pgx.Tx, engine.Repair) error { return errNoAccount }
	retried := p.sent()
	requireAnswer(t, "first", p.post(retried), 503, "try_again")
	p.result = func(pgx.Tx, engine.Repair) error { return nil }
	requireAnswer(t, "again", p.post(retried), 200, "applied")
	p.db.RequireSound()
}
