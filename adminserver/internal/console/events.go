package console

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

const (
	// streamFor bounds a stream, so that who lost their access stops hearing.
	// The browser connects again by itself.
	streamFor = 5 * time.Minute
	// pulse keeps proxies from taking a quiet stream for a dead one.
	pulse = 15 * time.Second
	// writeFor bounds the write of one event.
	writeFor = 10 * time.Second
)

// hub follows the change feed once for all pages that are open, and only while
// one is.
type hub struct {
	console *console
	mu      sync.Mutex
	open    map[chan engine.Change][]string // the projects that each hears of
	stop    context.CancelFunc
}

func newHub(c *console) *hub { return &hub{console: c, open: map[chan engine.Change][]string{}} }

// join gives the changes of projects from now on, until leave is called. A
// reader that is too slow misses some, which costs it nothing: every change makes
// the page read everything anew.
func (h *hub) join(ctx context.Context, projects []string) (changes chan engine.Change, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		if err := h.start(ctx); err != nil {
			return nil, nil, err
		}
	}
	changes = make(chan engine.Change, 64)
	h.open[changes] = projects
	return changes, func() { h.leave(changes) }, nil
}

func (h *hub) leave(changes chan engine.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(h.open, changes); len(h.open) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// start follows the feed of all projects until stop is called.
func (h *hub) start(ctx context.Context) error {
	after, err := h.console.Store.ChangesNow(ctx)
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
				caught.Log(following, h.console.Logger, slog.LevelError, "sendpromptly: the console follows the change feed again", err)
			}
			select {
			case <-following.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return nil
}

// follow tells all pages what changes after a cursor, which goes along.
func (h *hub) follow(ctx context.Context, e *engine.Engine, after *string) {
	for change, err := range e.Changes(ctx, *after) {
		if err == nil { // after an error it goes on by itself
			h.tell(change)
			*after = change.Cursor
		}
	}
}

func (h *hub) tell(change engine.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for changes, projects := range h.open {
		if slices.Contains(projects, change.Project) {
			select {
			case changes <- change:
			default:
			}
		}
	}
}

// events tells an open page what changes in its project, or in all that the
// visitor sees, as server-sent events that carry ids only.
func (c *console) events(w http.ResponseWriter, r *http.Request) {
	v := &visit{console: c, w: w, r: r, who: access.From(r.Context())}
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
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeFor)) // not every server knows deadlines
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	end, beat := time.NewTimer(streamFor), time.NewTicker(pulse)
	defer end.Stop()
	defer beat.Stop()
	for {
		said := ": still here\n\n"
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-beat.C:
		case change := <-changes:
			data, err := json.Marshal(map[string]string{"kind": change.Kind, "what": change.What, "id": change.ID})
			if err != nil {
				return
			}
			said = "event: change\ndata: " + string(data) + "\n\n"
		}
		if !send(said) {
			return
		}
	}
}
