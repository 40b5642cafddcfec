package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

const (
	// maxStreams bounds the streams of one server: each asks the database once a second.
	maxStreams = 100
	// streamFor bounds a stream, so that who lost their access stops hearing. The
	// reader connects again with the last id.
	streamFor = 5 * time.Minute
	// pulse keeps proxies from taking a quiet stream for a dead one.
	pulse = 15 * time.Second
	// writeFor bounds the write of one event.
	writeFor = 10 * time.Second
)

// Change is the data of one event: ids only. Read what they are now.
type Change struct {
	Project string    `json:"project"`
	Kind    string    `json:"kind" enum:"incident,attempt,settings"`
	What    string    `json:"what" doc:"The state entered, or what happened."`
	ID      string    `json:"id" doc:"The incident's, or the project's for settings."`
	At      time.Time `json:"at"`
}

type eventsInput struct {
	Project string `query:"project" maxLength:"63" doc:"Absent: all that the caller sees."`
	After   string `query:"after" maxLength:"41" doc:"Where to go on from: the id of an event. Absent: from now on. Last-Event-ID goes before it."`
	Last    string `header:"Last-Event-ID" maxLength:"41" doc:"What readers of event streams send by themselves when they connect again."`
}

// isCursor says whether a text is what the engine writes as a cursor.
func isCursor(text string) bool {
	xid, seq, _ := strings.Cut(text, "-")
	x, err := strconv.ParseUint(xid, 10, 64)
	n, err2 := strconv.ParseInt(seq, 10, 64)
	return err == nil && err2 == nil && n >= 0 && strconv.FormatUint(x, 10)+"-"+strconv.FormatInt(n, 10) == text
}

func events(r *room) {
	line := operation{method: http.MethodGet, path: "/events", id: "events-stream", tag: "Changes", role: access.Viewer, stream: true,
		title: "Follow what changes, as server-sent events",
		text: "Every change comes at least once, also one that commits late; around a long transaction some come again after a reconnect. " +
			"The stream ends after 5 minutes: connect again with the last id.",
		errors: []int{http.StatusNotFound, http.StatusServiceUnavailable}}
	op := r.describe(line)
	op.Responses["200"] = &huma.Response{Description: "A stream of events; the data of each is a Change.", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: r.api.OpenAPI().Components.Schemas.Schema(typeOf[Change](), true, "Change")}}}
	huma.Register(r.api, op, func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
		f, err := r.newStream(ctx, in)
		if err != nil {
			return nil, r.say(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			_, w := humago.Unwrap(c)
			f.run(c.Context(), w)
		}}, nil
	})
}

// stream is one reader of the feed.
type stream struct {
	room    *room
	engine  *engine.Engine
	who     access.Identity
	project string
	after   string
}

func (r *room) newStream(ctx context.Context, in *eventsInput) (*stream, error) {
	s := &stream{room: r, who: access.From(ctx), project: in.Project, after: in.After}
	if in.Last != "" {
		s.after = in.Last
	}
	if s.project != "" {
		if _, err := r.project(ctx, s.project); err != nil {
			return nil, err
		}
		if _, err := r.Store.Project(ctx, s.project); err != nil {
			return nil, err
		}
	}
	var err error
	if s.after == "" {
		s.after, err = r.Store.ChangesNow(ctx)
	} else if !isCursor(s.after) {
		err = web.New(http.StatusUnprocessableEntity, "after or Last-Event-ID is not the id of an event")
	}
	if err != nil {
		return nil, err
	}
	if s.engine, err = r.Engines.For(ctx, "default"); err != nil {
		return nil, err
	}
	select {
	case r.streams <- struct{}{}:
		return s, nil
	default:
		return nil, web.New(http.StatusServiceUnavailable, "too many streams are open")
	}
}

// run sends what changes until the reader leaves or the time is up.
func (s *stream) run(ctx context.Context, w http.ResponseWriter) {
	defer func() { <-s.room.streams }()
	ctx, cancel := context.WithTimeout(ctx, streamFor)
	defer cancel()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	send := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeFor))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && control.Flush() == nil
	}
	changes := make(chan engine.Change)
	go func() {
		defer cancel()
		if err := caught.Call(func() error { s.follow(ctx, changes); return nil }); err != nil {
			caught.Log(ctx, s.room.Logger, slog.LevelError, "sendpromptly: a stream of changes failed",
				err, "request_id", web.RequestID(ctx))
		}
	}()
	alive := time.NewTicker(pulse)
	defer alive.Stop()
	// The first event has only an id, so that a reader who was here before
	// anything changed goes on from there.
	for ok := send("retry: 1000\nid: %s\n\n", s.after); ok; {
		select {
		case <-ctx.Done():
			return
		case <-alive.C:
			ok = send(": \n\n")
		case c := <-changes:
			what := c.What
			if c.Kind == "incident" {
				what = wire.StateName(engine.State(what))
			}
			data, err := json.Marshal(Change{Project: c.Project, Kind: c.Kind, What: what, ID: c.ID, At: c.At.UTC()})
			ok = err == nil && send("id: %s\nevent: %s\ndata: %s\n\n", c.Cursor, c.Kind, data)
		}
	}
}

// follow reads the feed. What Postgres does meanwhile, a restart included, is
// waited out: the engine asks again every second.
func (s *stream) follow(ctx context.Context, changes chan<- engine.Change) {
	for change, err := range s.engine.Changes(ctx, s.after) {
		if err != nil {
			if ctx.Err() == nil {
				s.room.Logger.WarnContext(ctx, "sendpromptly: the change feed waits for the database",
					"request_id", web.RequestID(ctx), "error", err)
			}
			continue
		}
		if !s.who.Sees(change.Project) || s.project != "" && s.project != change.Project {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case changes <- change:
		}
	}
}
