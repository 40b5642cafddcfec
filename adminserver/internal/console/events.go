package console

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

// hub follows the change feed once for all open pages, and only while a page is open.
type hub struct {
	console *console
	mu      sync.Mutex
	open    map[chan web.Event][]string // the projects whose changes each gets
	stop    context.CancelFunc
}

func newHub(c *console) *hub { return &hub{console: c, open: map[chan web.Event][]string{}} }

// join returns the next changes of projects until leave is called. A reader that is too slow misses some
// without harm: every change makes the page read everything again.
func (h *hub) join(ctx context.Context, projects []string) (changes chan web.Event, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		if err := h.start(ctx); err != nil {
			return nil, nil, err
		}
	}
	changes = make(chan web.Event, 64)
	h.open[changes] = projects
	return changes, func() { h.leave(changes) }, nil
}

func (h *hub) leave(changes chan web.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(h.open, changes); len(h.open) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// start follows the feed of all projects until stop is called.
func (h *hub) start(ctx context.Context) error {
	after, err := h.console.Incidents.ChangesNow(ctx)
	if err != nil {
		return err
	}
	e, err := h.console.Engines.For(ctx, "default")
	if err != nil {
		return err
	}
	following, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() {
		for following.Err() == nil {
			err := caught.Call(func() error { h.follow(following, e, &after); return nil })
			if err != nil {
				caught.Log(
					following, h.console.Logger, slog.LevelError,
					"sendpromptly: the console lost the change feed and will reconnect", err,
				)
			}
			select {
			case <-following.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return nil
}

// follow sends all pages the changes after a cursor, and moves the cursor.
func (h *hub) follow(ctx context.Context, e *engine.Engine, after *string) {
	for change, err := range e.Changes(ctx, *after) {
		if err == nil { // after an error the loop continues
			h.tell(change)
			*after = change.Cursor
		}
	}
}

// tell passes a change on to the pages of its project: ids only.
func (h *hub) tell(change engine.Change) {
	data, err := json.Marshal(map[string]string{"kind": change.Kind, "what": change.What, "id": change.ID})
	if err != nil {
		return // strings always marshal
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for changes, projects := range h.open {
		if slices.Contains(projects, change.Project) {
			select {
			case changes <- web.Event{Name: "change", Data: data}:
			default:
			}
		}
	}
}

// events sends an open page the changes of its project, or of all projects that the visitor may read, as
// server-sent events.
func (c *console) events(w http.ResponseWriter, r *http.Request) {
	v := &visit{console: c, w: w, r: r, who: identity.From(r.Context())}
	if err := v.enter(); err != nil {
		v.sayNo(err)
		return
	}
	projects := []string{v.project}
	if r.FormValue("all") != "" {
		projects = v.projects
	}
	changes, leave, err := c.hub.join(r.Context(), projects)
	if err != nil {
		v.sayNo(err)
		return
	}
	defer leave()
	web.SendEvents(r.Context(), w, web.Event{}, changes)
}
