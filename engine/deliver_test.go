package engine_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// receiver is an endpoint that answers as the test says and remembers what came.
type receiver struct {
	t      *testing.T
	db     *enginetest.Database
	e      *engine.Engine
	url    string
	mu     sync.Mutex
	answer http.HandlerFunc
	came   []http.Header
	bodies []callback.Body
	raw    [][]byte
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	db := enginetest.New(t)
	r := &receiver{
		t:      t,
		db:     db,
		answer: answer,
		e:      engineOn(t, newPool(t, db, "engine", 12), engine.Config{AllowNetworks: loopback}),
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	repairAt(t, db, server)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	raw, _ := io.ReadAll(request.Body)
	body, err := callback.Decode(raw)
	if err != nil {
		r.t.Errorf("the callback's body: %v", err)
	}
	r.mu.Lock()
	r.came, r.bodies, r.raw = append(r.came, request.Header.Clone()), append(r.bodies, body), append(r.raw, raw)
	answer := r.answer
	r.mu.Unlock()
	request.Body = io.NopCloser(strings.NewReader(string(raw)))
	answer(w, request)
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.came)
}

// ask opens an incident and asks for its repair.
func (r *receiver) ask(event string) (engine.Incident, engine.Attempt) {
	r.t.Helper()
	incident := missing(r.t, r.db, r.e, key(event))[0]
	attempt, err := r.e.Reprocess(r.t.Context(), incident.ID, "ada")
	if err != nil {
		r.t.Fatal(err)
	}
	return incident, attempt
}

// deliver ends the test unless exactly n callbacks were sent.
func (r *receiver) deliver(n int) {
	r.t.Helper()
	before := r.count()
	sent, err := enginetest.Deliver(r.t.Context(), r.e)
	if err != nil || sent != n || r.count()-before != n {
		r.t.Fatalf("Deliver = %d, %v and %d requests came, want %d", sent, err, r.count()-before, n)
	}
}

// nextIn is how long the only waiting callback has to wait.
func (r *receiver) nextIn() time.Duration {
	r.t.Helper()
	return read[time.Duration](
		r.t,
		r.db.Pool,
		`SELECT next_at - sendpromptly.clock() FROM sendpromptly.callbacks WHERE state = 'waiting'`,
	)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "told you")
	}
}

// What our sender makes of each answer: 2xx is accepted and resolves nothing,
// 3xx and 4xx end the attempt, everything else is tried again. It catches a
// status on the wrong side, a redirect that is followed, and a 2xx taken for
// the outcome.
func TestTheSenderMakesOfEachAnswerWhatItMeans(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }),
	)
	defer elsewhere.Close()
	const (
		isAccepted = "callback accepted"
		hasGivenUp = "callback gave_up→failed"
		waitsOn    = "callback"
	)
	r := newReceiver(t, nil)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		story  string
		text   string
	}{
		{"200", status(200), 200, isAccepted, "told you"},
		{"202", status(202), 202, isAccepted, "told you"},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, isAccepted, ""},
		{"301", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
		}, 301, hasGivenUp, ""},
		{"307", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 307, hasGivenUp, ""},
		{"400", status(400), 400, hasGivenUp, "told you"},
		{"401", status(401), 401, hasGivenUp, "told you"},
		{"404", status(404), 404, hasGivenUp, "told you"},
		{"409", status(409), 409, hasGivenUp, "told you"},
		{"422", status(422), 422, hasGivenUp, "told you"},
		{"429", status(429), 429, hasGivenUp, "told you"},
		{"499", status(499), 499, hasGivenUp, "told you"},
		{"500", status(500), 500, waitsOn, "told you"},
		{"503", status(503), 503, waitsOn, "told you"},
		{"599", status(599), 599, waitsOn, "told you"},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, waitsOn, ""},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 200, isAccepted, "half"},
	} {
		incident, attempt := r.ask("evt_" + strings.ReplaceAll(test.name, " ", "_"))
		r.answer = test.answer
		r.deliver(1)
		requireStory(t, r.db, incident.Key, askedFor+" "+test.story)
		entry := r.lastCallback(incident)
		if entry.Status != test.status || !strings.HasPrefix(entry.Answer, test.text) || entry.URL != r.url ||
			entry.ReplayID != attempt.ReplayID ||
			entry.Note != "try 1" ||
			(entry.ErrorMessage != "") != (test.status == 0) {
			t.Errorf("%s: entry = %+v", test.name, entry)
		}
		r.requireHeld(
			test.name,
			incident,
			map[string]string{isAccepted: "accepted", hasGivenUp: "gave_up", waitsOn: "waiting"}[test.story],
		)
	}
	r.db.RequireSound()
}

// lastCallback is the newest entry of the kind callback.
func (r *receiver) lastCallback(incident engine.Incident) engine.Entry {
	r.t.Helper()
	page, err := r.e.Timeline(r.t.Context(), incident.EffectID, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	var last engine.Entry
	for _, entry := range page.Entries {
		if entry.Kind == "callback" {
			last = entry
		}
	}
	return last
}

// requireHeld checks what keeps the incident from here on, and ends the attempt.
func (r *receiver) requireHeld(name string, incident engine.Incident, state string) {
	r.t.Helper()
	ctx := r.t.Context()
	if got := read[string](
		r.t,
		r.db.Pool,
		`SELECT state FROM sendpromptly.callbacks WHERE incident_id = $1`,
		string(incident.ID),
	); got != state {
		r.t.Errorf("%s: the callback is %s, want %s", name, got, state)
	}
	now, err := r.e.Incident(ctx, incident.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	left := now.DueAt.Sub(read[time.Time](r.t, r.db.Pool, `SELECT sendpromptly.clock()`))
	switch state {
	case "accepted": // the timeout from now on
		if left > 30*time.Minute || left < 29*time.Minute {
			r.t.Errorf("%s: due in %s", name, left)
		}
	case "waiting": // all tries and the timeout
		if span := callback.Span() + 30*time.Minute; left > span || left < span-time.Minute {
			r.t.Errorf("%s: due in %s, want %s", name, left, span)
		}
	case "gave_up":
		if !now.DueAt.IsZero() || now.State != engine.StateFailed || now.Cause != engine.CauseFailed {
			r.t.Errorf("%s: incident = %+v", name, now)
		}
		return
	}
	if _, err := r.e.Stop(ctx, incident.ID, "ada"); err != nil {
		r.t.Fatal(err)
	}
}

// A project has at most four callbacks in flight, over all engines together, and
// its slow endpoint holds up no other project. It catches a limit that each
// engine counts alone, and one that all projects share.
func TestFourCallbacksOfAProjectAreInFlightAtMost(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 20)
	r := newReceiver(t, nil)
	release, letGo := newGate(t)
	r.answer = func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusAccepted)
	}
	for _, incident := range incidents(t, r.db, r.e, "evt", 7) {
		if _, err := r.e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	const claim = `SELECT count(*) FROM sendpromptly.claim_callbacks(32)`
	dying := open(t, r.db.Pool, pgx.TxOptions{})
	if first, second := read[int](t, dying, claim), read[int](t, r.db.Pool, claim); first != 4 || second != 0 {
		t.Errorf("two engines that claim at once get %d and %d callbacks, want 4 and none", first, second)
	}
	finish(t, dying, false)
	var delivering []<-chan error
	for range 2 {
		e := engineOn(t, newPool(t, r.db, "engine", 6), engine.Config{AllowNetworks: loopback})
		delivering = append(delivering, start(func() error { _, err := enginetest.Deliver(t.Context(), e); return err }))
	}
	for range 4 {
		receive(t, "four callbacks arrive", arrived)
	}
	if n := read[int](t, r.db.Pool, claim); n != 0 {
		t.Errorf("%d more callbacks could be claimed while four are in flight", n)
	}
	if n := read[int](t, r.db.Pool, `SELECT count(*) FROM sendpromptly.callbacks WHERE state = 'leased'`); n != 4 {
		t.Errorf("%d callbacks are in flight, want 4", n)
	}

	st, err := rooms.Open(r.db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Projects.Create(t.Context(), "billing", projects.Settings{RepairURL: &r.url}, loopback, "ada"); err != nil {
		t.Fatal(err)
	}
	billing := engineOn(t, newPool(t, r.db, "billing", 4), engine.Config{Project: "billing", AllowNetworks: loopback})
	accept(t, r.db, billing, engine.Acceptance{Key: key("evt_other")})
	if err := billing.Fail(t.Context(), key("evt_other"), errNoAccount); err != nil {
		t.Fatal(err)
	}
	other, err := enginetest.IncidentOf(t.Context(), billing, key("evt_other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := billing.Reprocess(t.Context(), other.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	delivering = append(delivering, start(func() error { _, err := enginetest.Deliver(t.Context(), billing); return err }))
	receive(t, "the other project's callback arrives", arrived)

	letGo()
	for _, done := range delivering {
		if err := receive(t, "Deliver ends", done); err != nil {
			t.Error(err)
		}
	}
	if _, err := enginetest.Deliver(t.Context(), r.e); err != nil { // where the two met, one left the rest to the next call
		t.Error(err)
	}
	if n := read[int](
		t,
		r.db.Pool,
		`SELECT count(*) FROM sendpromptly.callbacks WHERE state = 'accepted' AND try = 1`,
	); n != 8 ||
		r.count() != 8 {
		t.Errorf("%d accepted, %d came, want 8", n, r.count())
	}
	r.db.RequireSound()
}

// What our own handlers answer makes our own sender do the right thing: go on
// where the repair may still work, end where it cannot.
func TestOurHandlersAndOurSenderUnderstandEachOther(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	for _, test := range []struct {
		name   string
		repair func(context.Context, pgx.Tx) error
		story  string
	}{
		{"repaired", works, "success→applied resolved callback"},
		{"may work later", func(context.Context, pgx.Tx) error { return errNoAccount }, "note callback"},
		{"panics", func(context.Context, pgx.Tx) error { panic("broken") }, "note callback"},
		{"never works", func(context.Context, pgx.Tx) error { return engine.Permanent(errNoAccount) }, "failure→failed callback"},
	} {
		r.answer = r.e.RepairHandler(func(ctx context.Context, tx pgx.Tx, _ engine.Repair) error {
			return test.repair(ctx,
				tx)
		}).ServeHTTP
		incident, _ := r.ask("evt_" + strings.ReplaceAll(test.name, " ", "_"))
		r.deliver(1)
		requireStory(t, r.db, incident.Key, askedFor+" "+test.story)
		if !strings.HasPrefix(test.story, "note") {
			continue
		}
		r.answer = r.e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }).ServeHTTP
		r.db.Travel(7 * time.Second)
		r.deliver(1)
		requireStory(t, r.db, incident.Key, askedFor+" "+test.story+" success→applied resolved callback")
	}
	refused, _ := r.ask("evt_refused")
	r.answer = func(w http.ResponseWriter, request *http.Request) {
		request.Header.Set(callback.SignatureHeader, strings.Repeat("0", 64))
		r.e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }).ServeHTTP(w, request)
	}
	r.deliver(1)
	requireStory(t, r.db, refused.Key, askedFor+" callback gave_up→failed")
	r.db.RequireSound()
}

// Where the sender itself refuses to go, it says so and ends the attempt; where
// it cannot say anything, it tries again.
func TestTheSenderGivesUpOnAnAddressItMayNotReach(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	r.e = engineOn(t, newPool(t, r.db, "strict", 4), engine.Config{AllowNetworks: []netip.Prefix{}})
	incident, _ := r.ask("evt_blocked")
	if sent, err := enginetest.Deliver(t.Context(), r.e); sent != 1 || err != nil {
		t.Fatalf("Deliver = %d, %v", sent, err)
	}
	requireStory(t, r.db, incident.Key, askedFor+" callback gave_up→failed")
	if entry := r.lastCallback(incident); entry.Status != 0 || entry.ErrorMessage == "" || r.count() != 0 {
		t.Errorf("entry = %+v, %d requests came", entry, r.count())
	}
	if got := read[string](
		t,
		r.db.Pool,
		`SELECT note FROM sendpromptly.entries WHERE kind = 'gave_up'`,
	); got != "the engine is not allowed to call the repair URL" {
		t.Errorf("gave up with the note %q", got)
	}
	run(t, r.db.Pool, `DELETE FROM sendpromptly.callback_secrets`)
	unsigned, _ := r.ask("evt_unsigned")
	if _, err := enginetest.Deliver(t.Context(), r.e); err != nil {
		t.Fatal(err)
	}
	requireStory(t, r.db, unsigned.Key, askedFor+" callback")
	if r.count() != 0 {
		t.Error("a callback left unsigned")
	}
	r.db.RequireSound()
}

// A callback says of the receipt what the app needs for the repair; an amount of 0 is one, and an unknown one is null.
func TestTheCallbackSaysWhatTheReceiptKnows(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	for event, says := range map[string]struct {
		acceptance engine.Acceptance
		members    string
	}{
		"evt_known": {engine.Acceptance{
			Amount:      engine.Money{Currency: "eur"},
			Customer:    "cus_1",
			Merchant:    "a.example",
			Objects:     []string{"in_1", "#7"},
			SourceEvent: "evt_told",
		}, `"amount":0,"currency":"EUR","customer":"cus_1","merchant":"a.example","objects":["in_1","#7"],` +
			`"source_event_id":"evt_told"}`},
		"evt_unknown": {engine.Acceptance{}, `"amount":null}`},
	} {
		a := says.acceptance
		a.Key = key(event)
		accept(t, r.db, r.e, a)
		if err := r.e.Fail(t.Context(), a.Key, errNoAccount); err != nil {
			t.Fatal(err)
		}
		incident := r.db.RequireIncident(a.Key, engine.CauseFailed)
		if _, err := r.e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
			t.Fatal(err)
		}
		r.deliver(1)
		if raw := string(r.raw[len(r.raw)-1]); !strings.HasSuffix(raw, says.members) {
			t.Errorf("%s: the callback says %s, want it to end with %s", event, raw, says.members)
		}
	}
}
