package api_test

import (
	"net/http"
	"strings"
	"testing"
)

const secretWord = "Xq7-never-repeated"

// Wrong requests get small problems that repeat nothing of them.
func TestWrongRequestsAreAnsweredSmallAndWithoutTheirWords(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	incident := "/incidents/" + string(d.incidents["default"].ID)
	before := d.fingerprint()
	for name, test := range map[string]struct {
		call
		status int
	}{
		"no such path":       {call{method: "GET", path: "/" + secretWord}, 404},
		"no such method":     {call{method: "PUT", path: incident}, 405},
		"no such incident":   {call{method: "GET", path: "/incidents/" + secretWord}, 404},
		"unknown parameter":  {call{method: "GET", path: "/incidents?" + secretWord + "=1"}, 422},
		"parameter twice":    {call{method: "GET", path: "/incidents?text=a&text=" + secretWord}, 422},
		"bad escape":         {call{method: "GET", path: "/incidents?text=%zz" + secretWord}, 422},
		"semicolon":          {call{method: "GET", path: "/incidents?text=a;" + secretWord}, 422},
		"not UTF-8":          {call{method: "GET", path: "/incidents?text=%ff" + secretWord}, 422},
		"NUL":                {call{method: "GET", path: "/incidents?text=%00" + secretWord}, 422},
		"not a number":       {call{method: "GET", path: "/incidents?limit=" + secretWord}, 422},
		"too many":           {call{method: "GET", path: "/incidents?limit=501"}, 422},
		"not a state":        {call{method: "GET", path: "/incidents?state=" + secretWord}, 422},
		"not a moment":       {call{method: "GET", path: "/incidents?opened_after=" + secretWord}, 422},
		"a moment in year 1": {call{method: "GET", path: "/incidents?opened_after=0001-02-03T00:00:00Z"}, 422},
		"not a cursor":       {call{method: "GET", path: "/incidents?cursor=" + secretWord}, 422},
		"long text":          {call{method: "GET", path: "/incidents?text=" + strings.Repeat(secretWord, 100)}, 422},
		"not JSON":           {call{method: "POST", path: incident + "/note", body: secretWord}, 422},
		"two values": {
			call{method: "POST", path: incident + "/note", body: `{"note":"a"} {"note":"` + secretWord + `"}`}, 422,
		},
		"unknown member": {call{method: "POST", path: incident + "/note", body: `{"note":"a","` + secretWord + `":1}`}, 422},
		"another case":   {call{method: "POST", path: incident + "/note", body: `{"NOTE":"` + secretWord + `"}`}, 422},
		"another letter": {
			call{method: "POST", path: "/plans", body: `{"action":"close","ſilter":{},"note":"` + secretWord + `"}`}, 422,
		},
		"member twice": {
			call{method: "POST", path: incident + "/note", body: `{"note":"a","note":"` + secretWord + `"}`}, 422,
		},
		"nested member twice": {
			call{method: "POST", path: "/plans", body: `{"action":"reprocess","filter":{"open":true,"open":false}}`}, 422,
		},
		"wrong type":      {call{method: "POST", path: incident + "/note", body: `{"note":["` + secretWord + `"]}`}, 422},
		"null":            {call{method: "POST", path: incident + "/note", body: `null`}, 422},
		"no object":       {call{method: "POST", path: incident + "/note", body: `"` + secretWord + `"`}, 422},
		"empty object":    {call{method: "POST", path: incident + "/note", body: `{}`}, 422},
		"a NUL in a note": {call{method: "POST", path: incident + "/note", body: `{"note":"\u0000` + secretWord + `"}`}, 422},
		"deep": {
			call{method: "POST", path: incident + "/note", body: strings.Repeat("[", 30000) + strings.Repeat("]", 30000)},
			422,
		},
		"a body too many": {
			call{method: "POST", path: incident + "/reprocess", body: `{}`, header: http.Header{"If-Match": {"*"}}}, 422,
		},
		"too large": {
			call{method: "POST", path: incident + "/note", body: `{"note":"` + strings.Repeat("a", 70<<10) + `"}`}, 413,
		},
		"form": {
			call{
				method: "POST", path: incident + "/note", body: `note=a`,
				header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
			},
			415,
		},
		"no type": {
			call{method: "POST", path: incident + "/note", body: `{"note":"a"}`, header: http.Header{"Content-Type": nil}},
			415,
		},
		"Latin-1": {
			call{
				method: "POST", path: incident + "/note", body: `{"note":"a"}`,
				header: http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}},
			},
			415,
		},
		"If-Match twice":  {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {"*", `"1"`}}}, 422},
		"If-Match bare":   {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {"1"}}}, 422},
		"If-Match padded": {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {`"01"`}}}, 422},
		"If-Match signed": {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {`"+1"`}}}, 422},
		"If-Match a list": {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {`"1", "2"`}}}, 422},
		"If-Match weak":   {call{method: "POST", path: incident + "/stop", header: http.Header{"If-Match": {`W/"1"`}}}, 422},
		"no If-Match":     {call{method: "POST", path: incident + "/stop"}, 428},
		"a long key": {
			call{
				method: "POST", path: incident + "/stop",
				header: http.Header{"If-Match": {"*"}, "Idempotency-Key": {strings.Repeat("k", 300)}},
			},
			422,
		},
		"a key beside a secret": {
			call{
				method: "POST", path: "/projects/default/keys", body: `{"label":"l"}`,
				header: http.Header{"Idempotency-Key": {"k"}},
			},
			422,
		},
		"not an event":          {call{method: "GET", path: "/events?after=" + secretWord}, 422},
		"not an event's number": {call{method: "GET", path: "/events?after=99999999999999999999-9999999999999999999"}, 422},
		"a key that is no text": {
			call{
				method: "POST", path: incident + "/stop",
				header: http.Header{"If-Match": {"*"}, "Idempotency-Key": {"\xff\x80"}},
			},
			422,
		},
		"compressed": {
			call{
				method: "POST", path: incident + "/note", body: `{"note":"a"}`,
				header: http.Header{"Content-Encoding": {"gzip"}},
			},
			415,
		},
		"a private repair URL": {
			call{method: "PATCH", path: "/projects/default", body: `{"repair_url":"http://10.0.0.1/` + secretWord + `"}`},
			422,
		},
		"nothing to change": {call{method: "PATCH", path: "/projects/default", body: `{}`}, 422},
	} {
		test.token = "admin"
		a := d.do(test.call)
		d.requireProblem(name, a, test.status)
		if strings.Contains(string(a.body), secretWord) {
			t.Errorf("%s: repeats what was sent: %s", name, a.body)
		}
	}
	if d.fingerprint() != before {
		t.Error("something changed")
	}
}

// A body of wrong members costs a small answer, however many they are.
func TestManyMistakesAreAnsweredSmall(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	var members []string
	for _, name := range []string{
		"provider", "event_type", "effect_type", "version", "term", "reference", "customer", "text", "state", "cause",
		"open", "opened_after",
	} {
		members = append(members, `"`+name+`":{}`)
	}
	body := `{"action":"` + secretWord + strings.Repeat("x", 50_000) + `","filter":{` + strings.Join(members, ",") + `}}`
	a := d.do(call{method: "POST", path: "/plans", token: "operator", body: body})
	d.requireProblem("a body that is all wrong", a, 422)
	if len(a.body) > 2<<10 || strings.Contains(string(a.body), secretWord) {
		t.Errorf("%d bytes: %.300s", len(a.body), a.body)
	}
}

// No answer repeats the Host header, holds a null list, or may be kept.
func TestAnswersSayNothingOfTheirCaller(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	for _, l := range spec(t) {
		if l.method != http.MethodGet || strings.Contains(l.path, "{") || l.id == "events-stream" {
			continue
		}
		a := d.do(call{method: "GET", path: l.path, token: "admin"})
		lists := strings.ReplaceAll(string(a.body), `"amount":null`, "") // an unknown amount is no list
		if a.status != 200 || strings.Contains(lists, "null") || strings.Contains(string(a.body), "$schema") {
			t.Errorf("%s: %d: %s", l.id, a.status, a.body)
		}
		if a.header.Get("Link") != "" {
			t.Errorf("%s: Link %q", l.id, a.header.Get("Link"))
		}
	}
}
