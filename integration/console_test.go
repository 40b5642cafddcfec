package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// consoleSite is a real deployment: a database, an app with a repair endpoint, a running engine, the admin server.
type consoleSite struct {
	*testing.T
	db      *enginetest.Database
	store   *rooms.Rooms
	engine  *engine.Engine
	url     string
	repairs atomic.Int64
	// refuse is how many streams are refused, as while Postgres is away.
	refuse atomic.Int64
	n      int
}

func newConsoleSite(t *testing.T) *consoleSite {
	t.Helper()
	db := enginetest.New(t)
	return newConsoleSiteOn(t, db, db.Pool)
}

// newConsoleSiteOn has the app work on the database's pool and the admin server on another one.
func newConsoleSiteOn(t *testing.T, db *enginetest.Database, pool *pgxpool.Pool) *consoleSite {
	t.Helper()
	s := &consoleSite{T: t, db: db}
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	var err error
	if s.store, err = rooms.Open(s.db.Pool, ""); err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engine.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { s.repairs.Add(1); return nil }).ServeHTTP(w, r)
	}))
	t.Cleanup(app.Close)
	repair := app.URL + "/sendpromptly/repair"
	if _, _, err := s.store.Projects.Create(
		t.Context(),
		"billing",
		projects.Settings{RepairURL: &repair},
		allow,
		"test",
	); err != nil {
		t.Fatal(err)
	}
	if s.engine, err = engine.New(t.Context(), s.db.Pool, engine.Config{
		Project: "billing", AllowNetworks: allow,
		SweepInterval: 100 * time.Millisecond,
	}); err != nil {
		t.Fatal(err)
	}
	keys := t.TempDir()
	if _, err := proofs.Folder(keys).New(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String() + "/ops"
	admin, err := adminserver.New(t.Context(), adminserver.Config{
		Pool: pool, BaseURL: s.url, AllowNetworks: allow,
		Logger: slog.New(slog.DiscardHandler), ProofKeys: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") && s.refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		admin.ServeHTTP(w, r)
	})
	server.Start()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{}, 2)
	for _, run := range []func(context.Context) error{admin.Run, s.engine.Run} {
		go func() { _ = run(ctx); ended <- struct{}{} }()
	}
	t.Cleanup(func() { stop(); <-ended; <-ended; server.Close() })
	return s
}

// fails has the app take a payment on and fail at its effect.
func (s *consoleSite) fails(account, why string) engine.IncidentID {
	s.Helper()
	s.n++
	key := engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_1Qk%08d", s.n), Effect: "credit_grant"}
	err := pgx.BeginFunc(s.Context(), s.db.Pool, func(tx pgx.Tx) error {
		_, err := s.engine.Accept(s.Context(), tx, engine.Acceptance{
			Key: key, EventType: "invoice.paid", Subject: account, Customer: "cus_" + account,
			Amount: engine.Money{Minor: 4900, Currency: "EUR"}, Objects: []string{fmt.Sprintf("in_1Qk%08d", s.n)},
			OccurredAt: time.Now(), Version: "2026.11.3",
		})
		return err
	})
	if err == nil {
		err = s.engine.Fail(s.Context(), key, errors.New(why))
	}
	if err != nil {
		s.Fatal(err)
	}
	for end := time.Now().Add(seeWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if incident, err := enginetest.IncidentOf(s.Context(), s.engine, key); err == nil {
			return incident.ID
		}
	}
	s.Fatalf("no incident of %s opens", key)
	return ""
}

// login follows an invite link.
func (s *consoleSite) login(b *browser, email, role string) {
	s.Helper()
	link, err := s.store.Access.Operators.Invite(s.Context(), email, role, "test")
	if err != nil {
		s.Fatal(err)
	}
	b.open("/login/" + link)
	b.sees("This link works once.")
	b.click("button.solid")
	b.sees("Overview")
}

func TestAnOperatorRepairsInTheConsole(t *testing.T) {
	s := newConsoleSite(t)
	first := s.fails("acct_ines", "card network timeout")
	s.fails("acct_bruno", "deadlock detected")
	b := openBrowser(t, s.url)
	b.expected = []string{"503"}
	b.looks(1280, 900, "light")
	s.login(b, "ada@example.com", "operator")
	b.sees("2 incidents are open.", "running")
	b.accessible("overview")
	b.snap("overview-desktop")

	b.click("nav a[data-key=i]")
	b.sees("acct_ines", "acct_bruno", "Live")
	b.accessible("incidents")
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "deadlock\r"))
	b.waits(`location.search.includes("q=deadlock") && document.querySelectorAll("[data-row]").length === 1`)
	s.refuse.Store(1000)
	b.open("/incidents")
	b.sees("Reconnecting")
	s.refuse.Store(0)
	b.sees("Live")

	// One arrives while somebody reads the top of the list: it is put above.
	s.fails("acct_chidi", "account is locked")
	b.sees("acct_chidi")
	b.snap("incidents-desktop")
	// And while somebody is on a row: the list stays, and a notice says so.
	b.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	b.waits(`document.querySelectorAll("[data-row]")[1].classList.contains("at") && document.activeElement.closest("[data-row].at")`)
	s.fails("acct_dana", "account is locked")
	b.sees("1 incident has arrived.")
	b.waits(
		`document.querySelectorAll("[data-row]")[1].classList.contains("at") &&
			!document.querySelector("#rows").innerText.includes("acct_dana")`,
	)
	b.do(chromedp.KeyEvent("?"))
	b.waits(`document.getElementById("keys").open`)
	b.accessible("the keys")
	b.snap("keys-desktop")
	b.do(chromedp.KeyEvent("\u001b"))
	b.waits(`!document.getElementById("keys").open`)
	b.do(chromedp.KeyEvent("/"))
	b.waits(`document.activeElement.id === "q"`)

	// r asks for a confirmation, and the page turns green by itself.
	b.open("/incidents/" + string(first))
	b.sees("acct_ines paid 49.00\u00a0EUR. Their credits have not been added.", "card network timeout")
	b.accessible("incident")
	b.snap("incident-desktop")
	b.do(chromedp.KeyEvent("r"))
	b.waits(`document.getElementById("reprocess").open && document.activeElement.textContent === "Request the repair"`)
	b.accessible("incident with a form open")
	b.do(chromedp.KeyEvent("\r"))
	b.sees("Their credits have been added.", "Incident resolved", "Answered 200", "ada@example.com")
	b.accessible("resolved incident")
	b.snap("resolved-desktop")
	b.click("#proof > summary")
	b.click("#proof button")
	b.sees("It is shown only once.")
	b.accessible("a secret")
	b.snap("secret-desktop")
	if link := eval[string](b, `document.getElementById("secret").textContent`); !strings.HasPrefix(link, s.url+"/p/") {
		t.Errorf("the proof link is %.60s", link)
	}
	if n := s.repairs.Load(); n != 1 {
		t.Errorf("the app repaired %d times, want once", n)
	}
	s.db.RequireSound()
}

func TestTheConsoleWorksWithoutScript(t *testing.T) {
	s := newConsoleSite(t)
	id := s.fails("acct_ines", "card network timeout")
	bruno := s.fails("acct_bruno", "deadlock detected")
	b := openBrowser(t, s.url)
	b.expected = []string{"409"}
	b.looks(1280, 900, "light")
	b.script(false)
	s.login(b, "ada@example.com", "operator")
	b.open("/incidents?q=acct_ines")
	b.sees("acct_ines", "UTC")
	b.click("[data-row] a.main")
	b.sees("Their credits have not been added.")
	b.click("#note > summary")
	b.do(chromedp.SendKeys(chromedp.CSS("#note-text"), "asked the bank"))
	b.click("#note button")
	b.sees("Note added to the timeline.", "asked the bank")
	// Somebody else is faster.
	b.click("#close > summary")
	b.do(chromedp.SendKeys(chromedp.CSS("#close-note"), "no longer needed"))
	if _, err := s.engine.Reprocess(t.Context(), id, "grace@example.com"); err != nil {
		t.Fatal(err)
	}
	b.click("#close button")
	b.sees("Nothing was done: the incident was failed when you loaded the page", "grace@example.com")
	if kept := eval[string](b, `[...document.querySelectorAll("textarea")].map((t) => t.value).join()`); kept != "no longer needed" {
		t.Errorf("what was typed is %q now", kept)
	}
	b.open("/incidents?q=acct_bruno")
	b.click("[data-row] a.main")
	b.click("#reprocess > summary")
	b.click("#reprocess button")
	b.sees("Reprocess requested.")
	for end := time.Now().Add(seeWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if i, err := s.engine.Incident(t.Context(), bruno); err != nil || i.State == engine.StateApplied {
			break
		}
	}
	b.open("/effects?q=acct_bruno")
	b.sees("Yes, it arrived.")
	b.snap("effects-without-script")
}

// Every page, as an admin sees it, in both schemes, on a desk, on a phone, and enlarged twice.
func TestEveryPageOfTheConsoleIsAccessible(t *testing.T) {
	s := newConsoleSite(t)
	id := s.fails("acct_ines", `relation "credits" violates check constraint "credits_balance_check"`)
	s.fails("acct_"+"a_very_long_reference_that_nobody_would_choose_but_somebody_will_anyway_"+"0123456789", "boom")
	if _, err := s.store.Incidents.Views.Save(
		t.Context(),
		"billing",
		"Card trouble",
		engine.IncidentFilter{Open: true, Text: "boom"},
		"ada@example.com",
	); err != nil {
		t.Fatal(err)
	}
	plan, err := s.store.Incidents.Plans.Create(
		t.Context(),
		"billing",
		incidents.PlanRequest{Action: "reprocess", Filter: engine.IncidentFilter{Open: true}},
		"ada@example.com",
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.store.Access.Keys.Create(t.Context(), "billing", "worker-1", "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.store.Access.Tokens.Create(t.Context(), "viewer", "dashboard", "", time.Hour, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t, s.url)
	b.expected = []string{"404"}
	b.open("/login")
	b.accessible("login")
	s.login(b, "ada@example.com", "admin")
	pages := map[string]string{
		"overview":  "/?project=billing",
		"empty":     "/?project=default",
		"incidents": "/incidents?project=billing",
		"nothing":   "/incidents?project=billing&q=nobody",
		"incident": "/incidents/" + string(
			id,
		),
		"effects":       "/effects?project=billing&q=acct_ines",
		"effects-empty": "/effects?project=billing",
		"plans":         "/plans?project=billing",
		"plan":          "/plans/" + plan.ID + "?project=billing",
		"projects":      "/projects",
		"project":       "/projects/billing",
		"operators":     "/operators",
		"audit":         "/audit",
		"not-found":     "/nowhere",
	}
	for _, looks := range []struct {
		name, scheme  string
		width, height int64
	}{
		{"desktop", "light", 1280, 900},
		{"desktop-dark", "dark", 1280, 900},
		{"phone", "light", 390, 844},
		{"phone-dark", "dark", 390, 844},
		{"enlarged", "light", 640, 450},
	} {
		b.looks(looks.width, looks.height, looks.scheme)
		for name, path := range pages {
			b.open(path)
			b.keepsRules(name + " " + looks.name)
			b.snap(name + "-" + looks.name)
			// What is folded away counts too.
			eval[bool](b, `document.querySelectorAll("details:not([name])").forEach((d) => { d.open = true; }), true`)
			b.accessible(name + " unfolded " + looks.name)
		}
	}
}
