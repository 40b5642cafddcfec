package alerts_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const secretKey = "dGVzdCBzZWNyZXQga2V5IG9mIDMyIGJ5dGVzIGxvbmc="

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// desk is a database with a sender, a mail server and two endpoints.
type desk struct {
	t       *testing.T
	db      *enginetest.Database
	store   *rooms.Rooms
	sender  *alerts.Sender
	mail    *mailServer
	slack   *endpoint
	webhook *endpoint
	log     *bytes.Buffer
	deps    web.Deps
	smtp    mail.SMTP
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		t:       t,
		db:      enginetest.New(t),
		mail:    newMailServer(t),
		slack:   newEndpoint(t),
		webhook: newEndpoint(t),
		log:     &bytes.Buffer{},
	}
	var err error
	if d.store, err = rooms.Open(d.db.Pool, secretKey); err != nil {
		t.Fatal(err)
	}
	base, err := web.ParseBase("https://ops.example.com/sp")
	if err != nil {
		t.Fatal(err)
	}
	d.deps = web.Deps{
		Base:          base,
		Rooms:         d.store,
		AllowNetworks: loopback,
		Logger:        slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), d.log), nil)),
	}
	d.smtp = mail.SMTP{Address: d.mail.address, From: "alerts@example.com", Plain: true}
	d.sender = alerts.New(d.deps, d.smtp)
	return d
}

// set changes the default project and returns its new webhook secret, if any.
func (d *desk) set(settings projects.Settings) string {
	d.t.Helper()
	project, err := d.store.Projects.Set(d.t.Context(), "default", settings, loopback, "ada")
	if err != nil {
		d.t.Fatal(err)
	}
	return project.AlertWebhookSecret
}

// everywhere sends the default project's alerts on all channels.
func (d *desk) everywhere() string {
	d.t.Helper()
	people := "ada@example.com, bob@example.com"
	return d.set(projects.Settings{AlertEmail: &people, AlertSlack: &d.slack.url, AlertWebhook: &d.webhook.url})
}

func (d *desk) engine(project string) *engine.Engine {
	return d.db.Engine(engine.Config{Project: project})
}

// accept accepts effects and lets their deadline pass.
func (d *desk) miss(project string, keys ...engine.Key) {
	d.t.Helper()
	e := d.engine(project)
	var list []engine.Acceptance
	for _, key := range keys {
		list = append(list, engine.Acceptance{
			Key: key, EventType: "invoice.paid", Subject: "SUBJECTMARKER", Customer: "CUSTOMERMARKER", Version: "VERSIONMARKER",
			Objects: []string{"OBJECTMARKER"}, Amount: engine.Money{Minor: 424242, Currency: "EUR"},
		})
	}
	err := pgx.BeginFunc(d.t.Context(), d.db.Pool, func(tx pgx.Tx) error {
		_, err := e.AcceptMany(d.t.Context(), tx, list)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.db.Travel(31 * time.Minute)
	if n, err := enginetest.Sweep(d.t.Context(), e); err != nil || n != len(keys) {
		d.t.Fatalf("swept %d, %v", n, err)
	}
}

func (d *desk) send() int {
	d.t.Helper()
	n, err := d.sender.Send(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func key(n int) engine.Key {
	return engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%d", n), Effect: "credit_grant"}
}

func (d *desk) entries(k engine.Key) int {
	d.t.Helper()
	kinds, err := d.db.Kinds(k)
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, kind := range kinds {
		if kind == "alert" {
			n++
		}
	}
	return n
}

func pointer[T any](v T) *T { return &v }
