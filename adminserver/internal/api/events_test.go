package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// event is one of a stream.
type event struct {
	id, kind                string
	Project, Kind, What, ID string
}

// reader is a stream that is being read.
type reader struct {
	t      *testing.T
	events chan event
	last   string
	leave  context.CancelFunc
}

// listen opens a stream and reads its first id.
func (d *deployment) listen(token, query, last string) *reader {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	request := fine[*http.Request](d.t)(http.NewRequestWithContext(ctx, http.MethodGet, d.server.URL+apiRoot+"/events"+query, nil))
	request.Header.Set("Authorization", "Bearer "+d.tokens[token])
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response := fine[*http.Response](d.t)(http.DefaultClient.Do(request))
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		d.t.Fatalf("the stream: %d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	r := &reader{t: d.t, events: make(chan event, 1000), leave: cancel}
	d.t.Cleanup(cancel)
	go func() {
		defer func() { _ = response.Body.Close() }()
		defer close(r.events)
		read(response, r.events)
	}()
	first := r.next("the first id")
	if first.kind != "" || first.id == "" {
		d.t.Fatalf("the stream begins with %+v", first)
	}
	return r
}

func read(response *http.Response, events chan<- event) {
	var e event
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			_ = json.Unmarshal([]byte(value), &e)
		case "":
			if e.id != "" {
				events <- e
			}
			e = event{}
		}
	}
}

func (r *reader) next(what string) event {
	r.t.Helper()
	select {
	case e, open := <-r.events:
		if !open {
			r.t.Fatalf("the stream ended before %s", what)
		}
		r.last = e.id
		return e
	case <-time.After(30 * time.Second):
		r.t.Fatalf("%s does not come", what)
	}
	return event{}
}

// until reads on to a change of an incident. Around other transactions of the
// cluster changes may come again.
func (r *reader) until(what string, id engine.IncidentID) event {
	r.t.Helper()
	for {
		if e := r.next(what + " of " + string(id)); e.ID == string(id) && e.What == what {
			return e
		}
	}
}

func TestTheStreamTellsEachProjectItsOwn(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	all, one, limited := d.listen("viewer", "", ""), d.listen("viewer", "?project=default", ""), d.listen("other", "", "")
	mine := d.incident("default", "evt_new")
	theirs := d.incident("other", "evt_new")
	e := all.until("opened", mine.ID)
	if e.kind != "incident" || e.Kind != "incident" || e.Project != "default" {
		t.Errorf("event = %+v", e)
	}
	all.until("opened", theirs.ID)
	one.until("opened", mine.ID)
	if e := limited.next("its own change"); e.Project != "other" {
		t.Errorf("another project's: %+v", e)
	}
	second := d.incident("default", "evt_newer")
	if e := one.next("the next change"); e.Project != "default" {
		t.Errorf("in the stream of one project: %+v", e)
	}
	_ = second
	d.requireProblem(
		"a project that does not exist for them",
		d.do(call{method: "GET", path: "/events?project=default", token: "other"}),
		404,
	)
	d.requireProblem(
		"a project that does not exist",
		d.do(call{method: "GET", path: "/events?project=nosuch", token: "viewer"}),
		404,
	)
}

// A change that commits late comes too, on the open stream and on one that
// resumes behind a later change; and what happened in between is not lost.
func TestTheStreamResumesAndMissesNoLateCommit(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	open := d.listen("viewer", "", "")
	late := fine[pgx.Tx](t)(d.Pool.Begin(t.Context()))
	defer func() { _ = late.Rollback(context.WithoutCancel(t.Context())) }()
	slow := d.incidents["default"].ID
	if _, err := late.Exec(t.Context(), `SELECT sendpromptly.reprocess($1, 'ada', '1 hour')`, string(slow)); err != nil {
		t.Fatal(err)
	}
	quick := d.incident("default", "evt_quick")
	last := open.until("opened", quick.ID)
	open.leave()
	between := d.incident("default", "evt_between")
	resumed := d.listen("viewer", "", last.id)
	resumed.until("opened", between.ID)
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	resumed.until("requested", slow)
}

// Streams are bounded for each caller and for all of them, because each asks
// the database; who leaves makes room.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	open := func(ctx context.Context, token string) *http.Response {
		request := fine[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, d.server.URL+apiRoot+"/events", nil))
		request.Header.Set("Authorization", "Bearer "+d.tokens[token])
		response := fine[*http.Response](t)(http.DefaultClient.Do(request))
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	count := map[string]int{}
	for _, token := range []string{"viewer", "operator", "admin", "other"} {
		for range 40 {
			if response := open(ctx, token); response.StatusCode == http.StatusOK {
				count[token]++
			} else if response.StatusCode != http.StatusServiceUnavailable ||
				response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v", response.StatusCode, response.Header)
			}
		}
	}
	if count["viewer"] != 32 || count["operator"] != 32 || count["admin"] != 32 || count["other"] != 4 {
		t.Errorf("open: %v", count)
	}
	leave()
	for end := time.Now().Add(20 * time.Second); open(t.Context(), "other").StatusCode != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatal("who left makes no room")
		}
	}
}
