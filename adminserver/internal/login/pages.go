package login

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/assets"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

//go:embed templates/*.html
var files embed.FS

var pages = template.Must(template.ParseFS(files, "templates/*.html"))

// mailWithin bounds the mailing of one link.
const mailWithin = 30 * time.Second

// view is what the templates show.
type view struct {
	Title, Icon, Style, Action string
	// Problem and Notice are the result of the last form.
	Problem, Notice string
	Next, Home      string
	Who             identity.Identity
	Mail            bool
	OIDC            string
}

func (l *Login) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Icon, v.Style = l.Base.Path(assets.Path("mark.svg")), l.Base.Path(assets.Path("console.css"))
	v.Home = l.Base.Path("/")
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, v); err != nil {
		l.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser may be gone
}

// fail answers an unexpected error.
func (l *Login) fail(w http.ResponseWriter, r *http.Request, err error) {
	l.Logger.ErrorContext(r.Context(), "sendpromptly: a login failed", "request_id", web.RequestID(r.Context()), "error", err)
	http.Error(
		w,
		"Something went wrong. Try again. The details are in the log under "+web.RequestID(r.Context())+".",
		http.StatusInternalServerError,
	)
}

// page is the login page, also for a person who is logged in and must log in again.
func (l *Login) page(w http.ResponseWriter, r *http.Request) {
	l.showLogin(w, r, http.StatusOK, view{Next: r.URL.Query().Get("next")})
}

func (l *Login) showLogin(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Title, v.Action, v.Mail = "Log in", l.Base.Path("/login"), l.Mail.Enabled()
	v.Next, v.Who = local(v.Next), identity.From(r.Context())
	if l.provider != nil {
		v.OIDC = l.Base.Path("/login/oidc") + "?" + url.Values{"next": {v.Next}}.Encode()
	}
	l.show(w, r, status, "login.html", v)
}

// submit takes a token, or an address to mail a link to.
func (l *Login) submit(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		l.showLogin(w, r, http.StatusBadRequest, view{Problem: "The form arrived incomplete. Try again."})
		return
	}
	next := local(r.PostForm.Get("next"))
	if email := strings.TrimSpace(r.PostForm.Get("email")); email != "" && l.Mail.Enabled() {
		l.mailLink(r, email)
		// The same words, after the same time, for every address.
		l.showLogin(
			w,
			r,
			http.StatusOK,
			view{
				Next: next,
				Notice: "If this address may log in, a login link has been sent. It works once and expires after 15 " +
					"minutes.",
			},
		)
		return
	}
	token, now, err := l.Access.Tokens.LogIn(r.Context(), strings.TrimSpace(r.PostForm.Get("token")))
	switch {
	case errors.Is(err, engine.ErrNotFound):
		l.showLogin(w, r, http.StatusUnauthorized, view{Next: next, Problem: "This token is unknown, revoked or expired."})
	case err != nil:
		l.fail(w, r, err)
	default:
		l.begin(w, r, kindToken, token.ID, now, next)
	}
}

// mailLink mails a link in the background, so that the time of the answer reveals nothing, and at most one
// per minute to the same address.
func (l *Login) mailLink(r *http.Request, email string) {
	ctx, id := context.WithoutCancel(r.Context()), web.RequestID(r.Context())
	select {
	case l.mailing <- struct{}{}:
	default:
		l.Logger.WarnContext(ctx, "sendpromptly: a login link was not mailed because too many mails are being sent", "request_id", id)
		return
	}
	go func() {
		defer func() { <-l.mailing }()
		ctx, cancel := context.WithTimeout(ctx, mailWithin)
		defer cancel()
		if err := caught.Call(func() error { return l.sendLink(ctx, email) }); err != nil {
			caught.Log(ctx, l.Logger, slog.LevelWarn, "sendpromptly: a login link was not mailed", err, "request_id", id)
		}
	}()
}

// sendLink mails a link to the operator's stored address, never to the typed one. An operator whose role
// comes from the identity provider gets none: the link would outlive that role.
func (l *Login) sendLink(ctx context.Context, typed string) error {
	account, err := l.Access.Operators.Get(ctx, typed)
	if err != nil {
		return err
	}
	if account.Vouched {
		return errors.New("the identity provider manages this role: log in there")
	}
	if fresh, err := l.Access.Operators.LinkFresh(ctx, account.Email); err != nil || fresh {
		return errors.Join(err, map[bool]error{true: errors.New("a link was created within the last minute")}[fresh])
	}
	secret, err := l.Access.Operators.CreateLink(ctx, account.Email, "login page")
	if err != nil {
		return err
	}
	return l.Mail.Send(ctx, mail.Message{
		To: []string{account.Email}, Subject: "Your login link for SendPromptly",
		Text: "Somebody requested a login link for " + l.Base.String() + ".\n\n" + l.Base.URL("/login/"+secret) +
			"\n\nThe link works once and expires after 15 minutes. If you did not request it, ignore this message.\n",
	})
}

// confirm shows a button for a one-time link. It does not check the link, so that a mail program's preview
// does not use it up.
func (l *Login) confirm(w http.ResponseWriter, r *http.Request) {
	l.show(
		w,
		r,
		http.StatusOK,
		"confirm.html",
		view{Title: "Log in", Action: l.Base.Path("/login/" + url.PathEscape(r.PathValue("token")))},
	)
}

// useLink logs in by a one-time link.
func (l *Login) useLink(w http.ResponseWriter, r *http.Request) {
	login, err := l.Access.Operators.UseLink(r.Context(), r.PathValue("token"))
	switch {
	case errors.Is(err, engine.ErrNotFound):
		l.showLogin(
			w,
			r,
			http.StatusUnauthorized,
			view{Problem: "This link was already used, or it is older than 15 minutes. Ask an admin for a new one: " +
				"spadmin operator login EMAIL prints it."},
		)
	case err != nil:
		l.fail(w, r, err)
	default:
		l.begin(w, r, kindOperator, login.Email, login.At, "/")
	}
}

// local is a path below the base for the redirect, or "/" for everything that could lead elsewhere.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || slices.Contains(strings.Split(u.Path, "/"), "..") || u.Scheme != "" || u.Host != "" || u.User != nil ||
		len(next) > 2000 ||
		!strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return "/"
	}
	return next
}
