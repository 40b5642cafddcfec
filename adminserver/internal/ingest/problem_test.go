package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
)

func TestEveryErrorHasItsCodeAndStatus(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	many := map[string]any{}
	for i := range 60 {
		many[fmt.Sprintf("f%d", i)] = i
	}
	for _, test := range []struct {
		code    string
		status  int
		request request
	}{
		{"missing_accept_header", 406, request{header: map[string]string{"Accept": " "}}},
		{"not_acceptable", 406, request{header: map[string]string{"Accept": "text/html, application/xml;q=0.9"}}},
		{"not_acceptable", 406, request{header: map[string]string{"Accept": "application/json;q=0"}}},
		{"not_acceptable", 406, request{header: map[string]string{"Accept": "*/*, application/json;q=0"}}},
		{"unsupported_media_type", 415, request{header: map[string]string{"Content-Type": ""}}},
		{"unsupported_media_type", 415, request{header: map[string]string{"Content-Type": "text/plain"}}},
		{"unsupported_media_type", 415, request{header: map[string]string{"Content-Type": "application/json; charset=latin1"}}},
		{"unsupported_media_type", 415, request{header: map[string]string{"Content-Encoding": "gzip"}}},
		{"unauthorized", 401, request{header: map[string]string{"Authorization": ""}}},
		{"unauthorized", 401, request{header: map[string]string{"Authorization": "Bearer sk_short"}}},
		{"unauthorized", 401, request{header: map[string]string{"Authorization": "Bearer sk_" + strings.Repeat("z", 40)}}},
		{"unauthorized", 401, request{header: map[string]string{"Authorization": "Basic " + s.keys["default"]}}},
		{"unauthorized", 401, request{header: map[string]string{"Authorization": s.keys["default"]}}},
		{"payload_too_large", 413, request{body: receipt(map[string]any{"version": strings.Repeat("v", 70<<10)})}},
		{"too_many_fields", 413, request{body: receipt(many)}},
		{"missing_idempotency_key", 400, request{header: map[string]string{"Idempotency-Key": ""}}},
		{"missing_idempotency_key", 400, request{header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}}},
		{"subscription_required", 402, request{header: s.as("paused")}},
		{"validation_error", 422, request{body: "{}"}},
		{"not_found", 404, request{path: "/api/v1/result", body: result(map[string]any{"provider_event_id": "evt_unknown"})}},
	} {
		if test.request.path == "" {
			test.request.path = "/api/v1/receipt"
		}
		if test.request.body == "" {
			test.request.body = receipt(nil)
		}
		got := s.send(test.request)
		if got.status != test.status || got.code() != test.code || got.problem().Error.Message == "" {
			t.Errorf("%v: %d %s, want %d %s", test.request.header, got.status, got.body, test.status, test.code)
		}
		if kind := got.header.Get("Content-Type"); kind != "application/json" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", test.code, got.header)
		}
		if got.status == 401 && got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("401 without WWW-Authenticate")
		}
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.effects"); n != 0 {
		t.Errorf("%d receipts of requests that were refused", n)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.idempotency"); n != 0 {
		t.Errorf("%d answers kept that are no success", n)
	}
}

func TestEveryFormOfJSONIsAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for _, header := range []map[string]string{
		{"Accept": "*/*"},
		{"Accept": "application/*"},
		{"Accept": "application/problem+json"},
		{"Accept": "text/html, application/json;q=0.1"},
		{"Content-Type": "application/json; charset=UTF-8"},
		{"Content-Type": "application/vnd.api+json"},
		{"Authorization": "bearer " + s.keys["default"]},
	} {
		s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: header}).accepted(t)
	}
}

// Each request is wrong in all the ways from one on; the first decides.
func TestTheChecksComeInTheirOrder(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{Rate: 0.001, Burst: 1, Body: 400, Fields: 10})
	s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: map[string]string{"Idempotency-Key": "used"}}).accepted(t)
	q := request{path: "/api/v1/receipt", body: "{}", header: map[string]string{"Idempotency-Key": "used"}}
	steps := []struct {
		code string
		make func()
	}{
		{"rate_limited", func() {}},
		{"subscription_required", func() { q.header["Authorization"] = "Bearer " + s.keys["paused"] }},
		{"missing_idempotency_key", func() { q.header["Idempotency-Key"] = "" }},
		{"too_many_fields", func() { q.body = `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1}` }},
		{"payload_too_large", func() { q.body += strings.Repeat(" ", 500) }},
		{"unauthorized", func() { q.header["Authorization"] = "Bearer nobody" }},
		{"unsupported_media_type", func() { q.header["Content-Type"] = "text/plain" }},
		{"not_acceptable", func() { q.header["Accept"] = "text/html" }},
		{"missing_accept_header", func() { q.header["Accept"] = " " }},
	}
	for _, step := range steps {
		step.make()
		for range 2 { // what is turned away takes nothing from the checks behind it
			if got := s.send(q); got.code() != step.code {
				t.Errorf("%d %s, want %s", got.status, got.body, step.code)
			}
		}
	}
	// The replay comes before validation: another body is a conflict although it is not valid either.
	s = start(t, adminserver.IngestLimits{})
	used := map[string]string{"Idempotency-Key": "used"}
	s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: used}).accepted(t)
	if got := s.send(
		request{path: "/api/v1/receipt", body: "not json", header: used},
	); got.status != 409 ||
		got.code() != "idempotency_conflict" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTooManyRequestsOfAProjectAreTurnedAway(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{Rate: 0.1, Burst: 2})
	for range 2 {
		s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	}
	got := s.send(request{path: "/api/v1/receipt", body: receipt(nil)})
	if got.status != 429 || got.code() != "rate_limited" || got.header.Get("Retry-After") != "10" {
		t.Errorf("%d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
	}
	s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: s.as("other")}).accepted(t)
}

func TestWhatFailsHereIsAnInternalErrorWithoutDetails(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	if _, err := s.db.Pool.Exec(t.Context(), "ALTER TABLE sendpromptly.idempotency RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	got := s.send(request{path: "/api/v1/receipt", body: receipt(nil)})
	if got.status != 500 || got.code() != "internal_error" || strings.Contains(got.body, "gone") ||
		strings.Contains(got.body, "42P01") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.effects"); n != 0 {
		t.Error("the receipt stayed behind")
	}
}
