package adminserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestALinkLogsInOnceAfterAConfirmation(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	link, err := s.store.Access.Operators.Invite(t.Context(), "ada@example.com", "operator", "test")
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.get("/incidents?state=failed").require(t, 303, "/login?next=%2Fincidents%3Fstate%3Dfailed")
	for range 3 { // as the previews of mail programs do
		b.do("HEAD", "/login/"+link, nil).require(t, 200, "")
		if page := b.get("/login/" + link); !strings.Contains(page.text, `method="post"`) || b.session() != nil {
			t.Error("looking at the link did more than ask")
		}
	}
	b.do("POST", "/login/"+link, url.Values{}).require(t, 303, "/")
	b.get("/incidents").require(t, 200, "")
	s.browser().do("POST", "/login/"+link, url.Values{}).require(t, 401, "")
	if strings.Contains(s.log.String(), link) {
		t.Error("the log holds the link")
	}
	if !strings.Contains(s.log.String(), "actor=ada@example.com") {
		t.Error("the log does not say who asked")
	}
}

func TestATokenLogsInAndGoesOnToWhereOneWas(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	secret := s.token("viewer", "")
	for next, to := range map[string]string{
		"/incidents?state=failed": "/incidents?state=failed", "": "/", "//evil.example/": "/", "///evil.example": "/",
		"https://evil.example/": "/", "/\\evil.example": "/", "javascript:alert(1)": "/", "/a\r\nSet-Cookie: x=y": "/",
		"/../elsewhere": "/", "/%2e%2e/elsewhere": "/",
	} {
		b := s.browser()
		b.do("POST", "/login", url.Values{"token": {secret}, "next": {next}}).require(t, 303, to)
		b.get("/incidents").require(t, 200, "")
	}
	for _, wrong := range []string{"", "spt_", secret + "x", secret[:len(secret)-1] + "x"} {
		b := s.browser()
		b.do("POST", "/login", url.Values{"token": {wrong}}).require(t, 401, "")
		b.get("/incidents").require(t, 303, "/login?next=%2Fincidents")
	}
	if strings.Contains(s.log.String(), secret) {
		t.Error("the log holds the token")
	}
	page, err := s.store.Projects.Audit.List(t.Context(), projects.AuditFilter{Action: "token.login"})
	if err != nil || len(page.Entries) != 10 || page.Entries[0].Actor != "token:viewer" {
		t.Errorf("the audit log: %+v, %v", page.Entries, err)
	}
}

func TestALoginBeginsANewSessionAndEndsTheOld(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser()
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	planted := &http.Cookie{Name: "sendpromptly", Value: "planted-by-somebody-else", Path: "/"}
	b.client.Jar.SetCookies(at, []*http.Cookie{planted})
	secret := s.token("viewer", "")
	b.do("POST", "/login", url.Values{"token": {secret}}).require(t, 303, "/")
	first := b.session()
	if first.Value == planted.Value {
		t.Fatal("the session goes by an id that came from outside")
	}
	b.do("POST", "/login", url.Values{"token": {secret}}).require(t, 303, "/")
	if b.session().Value == first.Value {
		t.Error("a second login keeps the id")
	}
	for _, old := range []string{planted.Value, first.Value} {
		s.browser().do("GET", "/incidents", nil, "Cookie: sendpromptly="+old).require(t, 303, "/login?next=%2Fincidents")
	}
	last := b.session().Value
	b.do("POST", "/logout", url.Values{}).require(t, 303, "/login")
	s.browser().do("GET", "/incidents", nil, "Cookie: sendpromptly="+last).require(t, 303, "/login?next=%2Fincidents")
}

func TestTheCookieIsForThisSiteOnly(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://ops.example.com":       `^__Host-sendpromptly=[^;]+; Path=/; HttpOnly; Secure; SameSite=Lax$`,
		"https://ops.example.com/below": `^sendpromptly=[^;]+; Path=/below/; HttpOnly; Secure; SameSite=Lax$`,
		"http://127.0.0.1":              `^sendpromptly=[^;]+; Path=/; HttpOnly; SameSite=Lax$`,
	} {
		s := newSite(t, func(c *adminserver.Config) { c.BaseURL = base })
		_, prefix, _ := strings.Cut(base, ".com")
		a := s.browser().do("POST", prefix+"/login", url.Values{"token": {s.token("viewer", "")}}).require(t, 303, prefix+"/")
		if got := a.Header.Get("Set-Cookie"); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func TestSessionsEndWithTheirHoursAndTheirOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	in, out := func(b *browser) { t.Helper(); b.get("/incidents").require(t, 200, "") },
		func(b *browser) { t.Helper(); b.get("/incidents").require(t, 303, "/login?next=%2Fincidents") }
	ada := s.invited("ada@example.com", "admin")
	s.db.Travel(29 * time.Minute)
	in(ada)
	s.db.Travel(29 * time.Minute)
	in(ada)
	s.db.Travel(31 * time.Minute)
	out(ada) // idle

	ada = s.invited("ada@example.com", "admin")
	for range 25 {
		s.db.Travel(28 * time.Minute)
		in(ada)
	}
	s.db.Travel(28 * time.Minute)
	out(ada) // after 12 hours

	bob := s.invited("bob@example.com", "operator")
	in(bob)
	if err := s.store.Access.Operators.Remove(t.Context(), "bob@example.com", "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	out(bob)

	token, secret, err := s.store.Access.Tokens.Create(t.Context(), "viewer", "ci", "", 0, "test")
	if err != nil {
		t.Fatal(err)
	}
	ci := s.browser()
	ci.do("POST", "/login", url.Values{"token": {secret}}).require(t, 303, "/")
	in(ci)
	if err := s.store.Access.Tokens.Revoke(t.Context(), token.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	out(ci)
}

// postOffice is a mail server that takes everything.
func postOffice(t *testing.T) (address string, mails chan string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	mails = make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go receive(conn, mails)
		}
	}()
	return listener.Addr().String(), mails
}

// receive speaks just enough SMTP.
func receive(conn net.Conn, mails chan<- string) {
	defer func() { _ = conn.Close() }()
	say := func(line string) { _, _ = fmt.Fprint(conn, line+"\r\n") }
	say("220 post office")
	for in := bufio.NewScanner(conn); in.Scan(); {
		switch verb, _, _ := strings.Cut(in.Text(), " "); strings.ToUpper(verb) {
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for in.Scan() && in.Text() != "." {
				text.WriteString(strings.TrimSuffix(in.Text(), "=") + "\n")
			}
			mails <- text.String()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func TestTheLoginPageMailsALinkAndTellsNobodyWhoExists(t *testing.T) {
	t.Parallel()
	address, mails := postOffice(t)
	s := newSite(t, func(c *adminserver.Config) {
		c.SMTP = adminserver.SMTP{Address: address, From: "ops@example.com", Plain: true}
	})
	if _, err := s.store.Access.Operators.Invite(t.Context(), "ada@example.com", "operator", "test"); err != nil {
		t.Fatal(err)
	}
	s.db.Travel(2 * time.Minute)
	ask := func(email string) string {
		a := s.browser().do("POST", "/login", url.Values{"email": {email}}).require(t, 200, "")
		return a.text
	}
	nobody, ada := ask("nobody@example.com"), ask("ada@example.com")
	if nobody != ada {
		t.Error("the answers differ")
	}
	mail := <-mails
	link := regexp.MustCompile(`/login/[A-Z2-7]{40}`).FindString(strings.ReplaceAll(mail, "\n", ""))
	if !strings.Contains(mail, "ada@example.com") || link == "" {
		t.Fatal(mail)
	}
	ask("ada@example.com")
	s.waitForLog("a link was created within the last minute")
	s.browser().do("POST", link, url.Values{}).require(t, 303, "/")
	ask("bob@example.com\r\nBcc: eve@example.com")
	s.waitForLog("must not contain control characters")
	select {
	case again := <-mails:
		t.Errorf("a second mail within a minute: %s", again)
	default:
	}
}

// Letters that fold into ASCII, such as the Kelvin sign, make another address
// out of somebody's: its owner is not theirs.
func TestAnAddressThatOnlyFoldsIntoAnothersIsNotTheirs(t *testing.T) {
	t.Parallel()
	address, mails := postOffice(t)
	s := newSite(t, func(c *adminserver.Config) {
		c.SMTP = adminserver.SMTP{Address: address, From: "ops@example.com", Plain: true}
	})
	if _, err := s.store.Access.Operators.Invite(t.Context(), "mike@example.com", "admin", "test"); err != nil {
		t.Fatal(err)
	}
	s.db.Travel(2 * time.Minute)
	s.browser().do("POST", "/login", url.Values{"email": {"mi\u212Ae@example.com"}}).require(t, 200, "")
	s.waitForLog("a login link was not mailed")
	s.browser().do("POST", "/login", url.Values{"email": {" Mike@Example.com"}}).require(t, 200, "")
	if mail := <-mails; !strings.Contains(mail, "To: <mike@example.com>") {
		t.Errorf("mailed to another address than the operator's: %s", mail)
	}
	if _, err := s.store.Access.Operators.LogInByOIDC(
		t.Context(),
		"mi\u212Ae@example.com",
		"",
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("an identity provider's user: %v", err)
	}
}

// An open page asks by itself. That keeps nobody logged in who went away.
func TestAnOpenPageKeepsNobodyLoggedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.invited("ada@example.com", "viewer")
	listen := func() int {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for range 5 {
		if status := listen(); status != 200 {
			t.Fatal(status)
		}
		b.do("GET", "/incidents", nil, "X-Refresh: 1").require(t, 200, "")
		s.db.Travel(5 * time.Minute)
	}
	b.get("/incidents").require(t, 200, "") // she is there
	s.db.Travel(20 * time.Minute)
	if status := listen(); status != 200 {
		t.Fatal(status)
	}
	b.do("GET", "/incidents", nil, "X-Refresh: 1").require(t, 200, "")
	s.db.Travel(11 * time.Minute)
	if status := listen(); status != 401 {
		t.Errorf("31 minutes after the last click: %d", status)
	}
	b.do("GET", "/incidents", nil, "X-Refresh: 1").require(t, 303, "/login?next=%2Fincidents")
}

func TestTwoCredentialsAreNone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/admin/v1/incidents", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{"Bearer " + s.token("viewer", ""), "Bearer " + s.token("admin", "")}
	response, err := s.invited("ada@example.com", "viewer").client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 401 {
		t.Error(response.StatusCode)
	}
}

func TestTheEmbeddingAppSaysWhoAsksAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *adminserver.Config) {
		c.Authenticate = func(r *http.Request) (adminserver.Identity, bool, error) {
			if r.Header.Get("X-User") == "" {
				return adminserver.Identity{}, false, nil
			}
			return adminserver.Identity{Name: r.Header.Get("X-User"), Role: adminserver.Viewer}, true, nil
		}
	})
	b := s.browser()
	b.do("GET", "/incidents", nil, "X-User: ada").require(t, 200, "")
	b.get("/incidents").require(t, 401, "")
	b.do("GET", "/incidents", nil, "Authorization: Bearer "+s.token("admin", "")).require(t, 401, "")
	b.get("/login").require(t, 404, "")
}
