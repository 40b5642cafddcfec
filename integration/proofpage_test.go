package integration

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// proofSite is a server of proof links, with an app that repairs.
type proofSite struct {
	*testing.T
	db     *enginetest.Database
	engine *engine.Engine
	admin  *adminserver.Server
	issuer string
}

func newProofSite(t *testing.T) *proofSite {
	t.Helper()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	db := enginetest.New(t)
	s := &proofSite{T: t, db: db, engine: db.Engine(engine.Config{AllowNetworks: loopback})}
	app := httptest.NewServer(s.engine.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	t.Cleanup(app.Close)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	name, contact := "Northwind Credits", "help@northwind.example"
	if _, err := st.Projects.Set(
		t.Context(),
		"default",
		projects.Settings{RepairURL: &app.URL, PublicName: &name, SupportContact: &contact},
		loopback,
		"ada",
	); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Projects.RotateCallbackSecret(t.Context(), "default", 0, "ada"); err != nil {
		t.Fatal(err)
	}
	keys := t.TempDir()
	if _, err := proofs.Folder(keys).New(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	s.issuer = "http://" + server.Listener.Addr().String()
	s.admin, err = adminserver.New(t.Context(), adminserver.Config{
		Pool: db.Pool, BaseURL: s.issuer, Only: []adminserver.Part{adminserver.PartProof}, ProofKeys: keys,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.admin
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// lost makes an effect whose deadline passed, and whose failure was then reported.
func (s *proofSite) lost(event, effect, eventType string) engine.Incident {
	s.Helper()
	k := engine.Key{Provider: "stripe", EventID: event, Effect: effect}
	err := pgx.BeginFunc(s.Context(), s.db.Pool, func(tx pgx.Tx) error {
		_, err := s.engine.Accept(
			s.Context(),
			tx,
			engine.Acceptance{Key: k, EventType: eventType, Subject: "acct_8x41920", OccurredAt: time.Now().Add(-time.Minute)},
		)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	s.db.Travel(31 * time.Minute)
	if _, err := enginetest.Sweep(s.Context(), s.engine); err != nil {
		s.Fatal(err)
	}
	if err := s.engine.Fail(s.Context(), k, errors.New("no such account")); err != nil {
		s.Fatal(err)
	}
	return s.db.RequireIncident(k, engine.CauseFailed)
}

// link issues a proof.
func (s *proofSite) link(i engine.Incident) string {
	s.Helper()
	_, link, err := s.admin.IssueProof(s.Context(), adminserver.ProofRequest{Incident: i.ID, By: "ada@example.com"})
	if err != nil {
		s.Fatal(err)
	}
	return link
}

// repair asks the app and has it answered.
func (s *proofSite) repair(i engine.Incident) {
	s.Helper()
	if _, err := s.engine.Reprocess(s.Context(), i.ID, "ada@example.com"); err != nil {
		s.Fatal(err)
	}
	if _, err := enginetest.Deliver(s.Context(), s.engine); err != nil {
		s.Fatal(err)
	}
	s.db.RequireApplied(i.Key)
}

// look is a reader's device, colours, medium and zone.
type look struct {
	width, height int64
	dark, print   bool
	zone          string
}

// as makes the browser that reader's.
func (b *browser) as(l look) {
	b.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if l.print {
		media.Media = "print"
	}
	command(b, emulation.SetEmulatedMedia, media)
	command(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: l.zone})
	b.do(chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(2)))
}

// keep writes a picture of the whole page to .artifacts.
func (b *browser) keep(name string) {
	b.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll("../.artifacts", 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join("../.artifacts", name), picture, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// checked waits for the verdict of the check in the browser.
func (b *browser) checked() (result, text string) {
	b.Helper()
	b.waits(`document.querySelector("#check[data-result]")`)
	return eval[string](
			b,
			`document.getElementById("check").dataset.result`,
		), eval[string](
			b,
			`document.getElementById("check").innerText`,
		)
}

var (
	phone   = look{width: 390, height: 844, zone: "Europe/Lisbon"}
	desktop = look{width: 1280, height: 900, zone: "America/New_York"}
)

// A customer opens the link on a phone, at a desk, in the dark and on paper; the
// browser checks the proof by itself.
func TestACustomerOpensTheProofLink(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	i := s.lost("evt_1", "credit_grant", "invoice.paid")
	link := s.link(i)
	b.as(phone)
	b.open(link)
	if title := eval[string](b, `document.querySelector("h1").innerText`); title != "We are working on it" {
		t.Errorf("before the repair: %q", title)
	}
	b.checked()
	b.keep("proof-open-phone.png")
	s.repair(i)
	for name, l := range map[string]look{
		"phone": phone, "desktop": desktop, "dark": {width: 390, height: 844, dark: true, zone: "Asia/Tokyo"},
		"desktop-dark": {width: 1280, height: 900, dark: true}, "print": {width: 794, height: 1123, print: true},
	} {
		b.as(l)
		b.open(link)
		result, text := b.checked()
		if result != "good" || !strings.Contains(text, "the signature is valid, and entries 1 to") {
			t.Errorf("%s: the browser's check is %s: %s", name, result, text)
		}
		if title := eval[string](
			b,
			`document.querySelector("h1").innerText`,
		); !strings.HasPrefix(
			title,
			"Your credits were added on ",
		) {
			t.Errorf("%s: %q", name, title)
		}
		if wide := eval[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
			t.Errorf("%s: the page must be pushed sideways", name)
		}
		b.accessible(name)
		b.keep("proof-" + name + ".png")
	}
	if zone := eval[string](b, `document.getElementById("zone").innerText`); zone == "" {
		t.Error("the zone is not named")
	}
}

// Without a script everything is there, in UTC, and nothing waits for one.
func TestTheProofPageNeedsNoScript(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	i := s.lost("evt_1", "access_unlock", "checkout.session.completed")
	s.repair(i)
	link := s.link(i)
	b.as(phone)
	b.script(false)
	b.open(link)
	text := eval[string](b, `document.body.innerText`)
	for _, want := range []string{
		"Your access was unlocked on", "UTC", "is exactly what was proven on", "All times are UTC", "Northwind Credits",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Your browser") {
		t.Error("the page speaks of a check that cannot run")
	}
	b.keep("proof-without-script.png")
}

// The browser's own check does not take the server's word.
func TestTheBrowserFindsWhatWasAltered(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	i := s.lost("evt_1", "credit_grant", "invoice.paid")
	b.expected = []string{"409"}
	link := s.link(i)
	if _, err := s.db.Pool.Exec(
		t.Context(),
		"UPDATE sendpromptly.entries SET at = at - interval '1 hour' WHERE kind = 'opened'",
	); err != nil {
		t.Fatal(err)
	}
	b.as(phone)
	b.open(link)
	if result, text := b.checked(); result != "bad" {
		t.Errorf("the browser's check is %s: %s", result, text)
	}
	if text := eval[string](
		b,
		`document.body.innerText`,
	); !strings.Contains(
		text,
		"Entries have been removed or changed since this link was made",
	) {
		t.Errorf("the page says:\n%s", text)
	}
	b.keep("proof-altered.png")
}

// A server that lies in the saved proof, in the keys or on the page is found out.
func TestTheBrowserFindsLies(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	link := s.link(s.lost("evt_1", "credit_grant", "invoice.paid"))
	for lie, want := range map[string]string{
		`bundle.entries[1].kind = "success"`:                              "Entry 2 was changed",
		`bundle.entries[0].at += 1000000`:                                 "Entry 1 was changed",
		`bundle.entries[0].fields[0].commitment = bundle.entries[0].hash`: "Entry 1 was changed",
		`bundle.entries.find((e) => e.fields.some((f) => f.salt))
			.fields.find((f) => f.salt).value = "1"`: "was changed",
		`bundle.entries.pop()`:                                                              "entries do not match the signature",
		`bundle.entries.splice(1, 1)`:                                                       "Entry 2 was changed",
		`bundle.effect.type = "access_unlock"`:                                              "Entry 1 was changed",
		`bundle.token = bundle.token.slice(0, -8) + "AAAAAAAA"`:                             "signature of this link is not valid",
		`keys.keys[0].x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`:                    "signature of this link is not valid",
		`keys.keys[0].kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`:                  "a key that this site publishes",
		`history.replaceState(null, "", "/p/another")`:                                      "does not belong to this link",
		`document.querySelector('li[data-seq="2"] time').dateTime = "2026-01-02T03:04:05Z"`: "entries do not match the signature",
		`document.querySelector('li[data-seq="2"]').remove()`:                               "entries do not match the signature",
	} {
		script := `const honest = Response.prototype.json;
			Response.prototype.json = async function () {
				const told = await honest.call(this), bundle = told.entries ? told :
					{ entries: [{ fields: [{}] }, {}], effect: {}, token: "" };
				const keys = told.keys ? told : { keys: [{}] };
				try { ` + lie + ` } catch {}
				return told;
			};`
		added, err := chromedp.Call(
			b.ctx,
			page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: script},
		)
		if err != nil {
			t.Fatal(err)
		}
		b.as(desktop)
		b.open(link)
		if result, text := b.checked(); result != "bad" || !strings.Contains(text, want) {
			t.Errorf("%s: %s, %s", lie, result, text)
		}
		if _, err := chromedp.Call(
			b.ctx,
			page.RemoveScriptToEvaluateOnNewDocument,
			page.RemoveScriptToEvaluateOnNewDocumentParams(added),
		); err != nil {
			t.Fatal(err)
		}
	}
}

// A browser without Ed25519, or without WebCrypto at all, is told so; the page
// stays as it is.
func TestABrowserThatCannotCheckSaysSo(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	link := s.link(s.lost("evt_1", "credit_grant", "invoice.paid"))
	for script, want := range map[string]string{
		`crypto.subtle.importKey = () => Promise.reject(new DOMException("", "NotSupportedError"))`: "does not support Ed25519",
		`Object.defineProperty(Crypto.prototype, "subtle", { value: undefined })`:                   "without https",
	} {
		added, err := chromedp.Call(
			b.ctx,
			page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: script},
		)
		if err != nil {
			t.Fatal(err)
		}
		b.as(desktop)
		b.open(link)
		if result, text := b.checked(); result != "unable" || !strings.Contains(text, want) {
			t.Errorf("%s: %s, %s", want, result, text)
		}
		if _, err := chromedp.Call(
			b.ctx,
			page.RemoveScriptToEvaluateOnNewDocument,
			page.RemoveScriptToEvaluateOnNewDocumentParams(added),
		); err != nil {
			t.Fatal(err)
		}
	}
}

// A dead link, and what a person sees there.
func TestADeadLinkIsOnePage(t *testing.T) {
	s := newProofSite(t)
	b := openBrowser(t, "")
	b.expected = []string{"404"}
	b.as(phone)
	b.open(s.issuer + "/p/nothing")
	if text := eval[string](
		b,
		`document.body.innerText`,
	); !strings.Contains(
		text,
		"This link has expired or was withdrawn. Ask the person who sent it for a new one.",
	) {
		t.Errorf("the page says:\n%s", text)
	}
	b.keep("proof-gone.png")
	if answer, err := http.Get(
		s.issuer + "/p/nothing",
	); err != nil ||
		answer.StatusCode != http.StatusNotFound {
		t.Error(answer, err)
	}
}
