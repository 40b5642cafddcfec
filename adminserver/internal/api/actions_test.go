package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
)

type incident struct {
	ID, State, Note, ReplayID string
	Revision, Attempts        int
}

func matching(revision int) http.Header {
	return http.Header{"If-Match": {strconv.Quote(strconv.Itoa(revision))}}
}

// Of operators who saw the same revision one acts. The others are told what the
// incident is now, and find the same when they look.
func TestOfOperatorsWhoRaceOneActs(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	path := "/incidents/" + string(d.incidents["default"].ID)
	seen, first := get[incident](d, call{method: "GET", path: path, token: "operator"})
	if first.header.Get("ETag") != strconv.Quote(strconv.Itoa(seen.Revision)) {
		t.Errorf("ETag %s at revision %d", first.header.Get("ETag"), seen.Revision)
	}
	calls := []call{
		{method: "POST", path: path + "/reprocess", token: "operator", header: matching(seen.Revision)},
		{method: "POST", path: path + "/close", token: "admin", body: `{"note":"refunded"}`, header: matching(seen.Revision)},
	}
	answers := make([]answer, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = d.do(calls[i%2]) })
	}
	group.Wait()
	now, _ := get[incident](d, call{method: "GET", path: path, token: "viewer"})
	done := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			done++
			continue
		}
		d.requireProblem("the slower operator", a, http.StatusConflict)
		var p struct {
			State    string
			Revision int
		}
		if err := json.Unmarshal(a.body, &p); err != nil || p.Revision != now.Revision || p.State != now.State {
			t.Errorf("told %s, it is %s at %d", a.body, now.State, now.Revision)
		}
	}
	if done != 1 || now.Revision != seen.Revision+1 {
		t.Errorf("%d acted, revision %d after %d", done, now.Revision, seen.Revision)
	}
	d.RequireSound()
}

// The same key and request get the same answer, and nothing is done twice;
// another request with the key, or another operator's, is refused.
func TestAnActionWithAKeyHappensOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	path := "/incidents/" + string(d.incidents["default"].ID)
	header := matching(1)
	header.Set("Idempotency-Key", "key-1")
	asked := call{method: "POST", path: path + "/reprocess", token: "operator", header: header}
	first, again := d.do(asked), d.do(asked)
	if first.status != 200 || again.status != 200 || string(first.body) != string(again.body) ||
		again.header.Get("Idempotency-Replayed") != "true" ||
		first.header.Get("Idempotency-Replayed") != "" ||
		first.header.Get("ETag") != again.header.Get("ETag") {
		t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
	}
	if now, _ := get[incident](d, call{method: "GET", path: path, token: "viewer"}); now.Attempts != 1 {
		t.Errorf("%d attempts", now.Attempts)
	}
	other := asked
	other.token = "admin"
	d.requireProblem("another operator's", d.do(other), http.StatusConflict)
	changed := asked
	changed.header = matching(2)
	changed.header.Set("Idempotency-Key", "key-1")
	d.requireProblem("another request", d.do(changed), http.StatusConflict)
	d.requireProblem(
		"without the key",
		d.do(call{method: "POST", path: path + "/reprocess", token: "operator", header: matching(1)}),
		http.StatusConflict,
	)
	// A refusal is not kept: the same key works once it may.
	stop := http.Header{"If-Match": {`"9"`}, "Idempotency-Key": {"key-2"}}
	d.requireProblem(
		"a stale stop",
		d.do(call{method: "POST", path: path + "/stop", token: "operator", header: stop}),
		http.StatusConflict,
	)
	stop = http.Header{"If-Match": {`"2"`}, "Idempotency-Key": {"key-2"}}
	if a := d.do(call{method: "POST", path: path + "/stop", token: "operator", header: stop}); a.status != 200 {
		t.Errorf("stop: %d %s", a.status, a.body)
	}
	d.RequireSound()
}

// From the list to the repair: what an on-call engineer's script does.
func TestAnIncidentIsFoundRepairedAndTold(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	page, _ := get[struct{ Incidents []incident }](
		d,
		call{method: "GET", path: "/incidents?open=true&cause=failed", token: "viewer"},
	)
	if len(page.Incidents) != 1 {
		t.Fatalf("%d incidents", len(page.Incidents))
	}
	count, _ := get[struct {
		Count  int
		Capped bool
	}](d, call{method: "GET", path: "/incidents/count?open=true", token: "viewer"})
	if count.Count != 1 || count.Capped {
		t.Errorf("count = %+v", count)
	}
	path := "/incidents/" + page.Incidents[0].ID
	asked, answered := get[incident](
		d,
		call{method: "POST", path: path + "/reprocess", token: "operator", header: matching(page.Incidents[0].Revision)},
	)
	if asked.State != "reprocessing" || answered.header.Get("ETag") != `"2"` {
		t.Errorf("asked = %+v", asked)
	}
	attempts, _ := get[struct {
		Attempts []struct{ Operator, Delivery string }
	}](d, call{method: "GET", path: path + "/attempts", token: "viewer"})
	if len(attempts.Attempts) != 1 || attempts.Attempts[0].Operator != "token:operator" ||
		attempts.Attempts[0].Delivery != "waiting" {
		t.Errorf("attempts = %+v", attempts)
	}
	get[incident](d, call{method: "POST", path: path + "/try_now", token: "operator", header: matching(2)})
	get[incident](d, call{method: "POST", path: path + "/stop", token: "operator", header: matching(2)})
	get[incident](d, call{method: "POST", path: path + "/note", token: "operator", body: `{"note":"the customer called"}`})
	closed, _ := get[incident](
		d,
		call{method: "POST", path: path + "/close", token: "operator", body: `{"note":"refunded"}`, header: matching(3)},
	)
	if closed.State != "closed" {
		t.Errorf("closed = %+v", closed)
	}
	d.requireProblem("reopening without a revision",
		d.do(call{method: "POST", path: path + "/reopen", token: "operator", body: `{"note":"not refunded"}`}), 428)
	reopened, answer := get[incident](d, call{
		method: "POST", path: path + "/reopen", token: "operator", body: `{"note":"not refunded"}`, header: matching(4),
	})
	if reopened.State != "failed" || answer.header.Get("ETag") != `"5"` {
		t.Errorf("reopened = %+v", reopened)
	}
	d.requireProblem("reopening what is open",
		d.do(call{method: "POST", path: path + "/reopen", token: "operator", body: `{"note":"again"}`, header: matching(5)}), 409)
	told, _ := get[struct {
		Entries []struct{ Kind, Actor, Note string }
	}](d, call{method: "GET", path: path + "/timeline", token: "viewer"})
	kinds := ""
	for _, e := range told.Entries {
		kinds += e.Kind + " "
	}
	if kinds != "receipt failure opened reprocess stopped note closed reopened " {
		t.Errorf("timeline: %s", kinds)
	}
	d.RequireSound()
}

// A plan over the API: frozen, its count given back, run by the server's step.
func TestAPlanOverTheAPI(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.incident("default", "evt_2")
	type plan struct {
		ID      string
		Size    int
		Results []struct {
			Result    string
			Incidents int
		}
	}
	body := `{"action":"close","note":"n","filter":{"open":true,"opened_after":"2026-01-02T00:00:00+23:00"}}`
	p, _ := get[plan](d, call{method: "POST", path: "/plans", token: "operator", body: body})
	if p.Size != 2 {
		t.Fatalf("plan = %+v", p)
	}
	d.requireProblem(
		"another count",
		d.do(call{method: "POST", path: "/plans/" + p.ID + "/start", token: "operator", body: `{"count":3}`}),
		422,
	)
	d.requireProblem(
		"an empty filter",
		d.do(call{method: "POST", path: "/plans", token: "operator", body: `{"action":"reprocess","filter":{}}`}),
		422,
	)
	get[plan](d, call{method: "POST", path: "/plans/" + p.ID + "/start", token: "operator", body: `{"count":2}`})
	if _, err := d.st.Incidents.Plans.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, _ = get[plan](d, call{method: "GET", path: "/plans/" + p.ID, token: "viewer"})
	if len(p.Results) != 1 || p.Results[0].Result != "closed" || p.Results[0].Incidents != 2 {
		t.Errorf("results = %+v", p.Results)
	}
	d.requireProblem("stopping what is done", d.do(call{method: "POST", path: "/plans/" + p.ID + "/stop", token: "operator"}), 409)
	if i := fine[engine.Incident](
		t,
	)(
		d.engines["default"].Incident(t.Context(), d.incidents["default"].ID),
	); i.ClosedBy != "token:operator" {
		t.Errorf("closed by %s", i.ClosedBy)
	}
}
