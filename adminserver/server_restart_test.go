//go:build unix

package adminserver_test

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/restartpg"
)

// page is an open page of the console, which hears of changes.
type page struct {
	t     *testing.T
	heard chan string
}

func (b *browser) open(path string) *page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil || response.StatusCode != 200 {
		b.t.Fatalf("%v, %v", response, err)
	}
	b.t.Cleanup(func() { _ = response.Body.Close() })
	p := &page{t: b.t, heard: make(chan string, 100)}
	go func() {
		defer close(p.heard)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				p.heard <- data
			}
		}
	}()
	return p
}

// until waits to hear of an incident.
func (p *page) until(id engine.IncidentID) {
	p.t.Helper()
	for end := time.After(30 * time.Second); ; {
		select {
		case data, open := <-p.heard:
			if !open {
				p.t.Fatal("the stream ended")
			}
			if strings.Contains(data, string(id)) {
				return
			}
		case <-end:
			p.t.Fatalf("nothing is heard of %s", id)
		}
	}
}

// fails makes an incident of an event.
func fails(t *testing.T, pool *pgxpool.Pool, event string) engine.IncidentID {
	t.Helper()
	e, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	key := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: key})
		return err
	})
	if err == nil {
		err = e.Fail(t.Context(), key, errors.New("boom"))
	}
	if err != nil {
		t.Fatal(err)
	}
	incident, err := enginetest.IncidentOf(t.Context(), e, key)
	if err != nil {
		t.Fatal(err)
	}
	return incident.ID
}

// A crash of Postgres ends no live page, and nobody's login: when Postgres is
// back, the page hears again of what changes.
func TestALivePageOutlivesARestartOfPostgres(t *testing.T) {
	t.Parallel()
	postgres := restartpg.Start(t)
	s := newSiteOn(t, &enginetest.Database{Pool: postgres.Pool(), URL: postgres.URL}, nil)
	b := s.invited("ada@example.com", "viewer")
	live := b.open("/events")
	live.until(fails(t, postgres.Pool(), "evt_before"))
	live.until(fails(t, postgres.Crash(), "evt_after"))
	b.get("/incidents").require(t, 200, "")
}
