package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// maxStreams limits the streams of one server: each queries the database once per second.
const maxStreams = 100

// Change is the data of one event. It contains only ids: read the current state separately.
type Change struct {
	Project string    `json:"project"`
	Kind    string    `json:"kind" enum:"incident,attempt,settings"`
	What    string    `json:"what" doc:"The new state, or what happened."`
	ID      string    `json:"id" doc:"The incident's id, or the project's id for settings."`
	At      time.Time `json:"at"`
}

type eventsInput struct {
	Project string `query:"project" maxLength:"63" doc:"Default: all projects that the caller may read."`
	After   string `query:"after" maxLength:"41" doc:"The id of the event after which to continue. Default: only new changes. Last-Event-ID takes precedence."`
	Last    string `header:"Last-Event-ID" maxLength:"41" doc:"Event stream clients send it when they reconnect."`
}

func addEvents(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/events",
		id:     "events-stream",
		tag:    "Changes",
		role:   identity.Viewer,
		stream: true,
		title:  "Follow changes as server-sent events",
		text: "Every change is sent at least once. During a long transaction some changes are sent again after a reconnect. " +
			"The stream ends after 5 minutes: reconnect with the last id.",
		errors: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}
	op := r.describe(line)
	op.Responses["200"] = &huma.Response{
		Description: "A stream of events; the data of each is a Change.",
		Content: map[string]*huma.MediaType{
			"text/event-stream": {Schema: r.api.OpenAPI().Components.Schemas.Schema(typeOf[Change](), true, "Change")},
		},
	}
	huma.Register(r.api, op, func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
		f, err := r.newStream(ctx, in)
		if err != nil {
			return nil, r.say(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) { //nolint:contextcheck // huma hands on the same context
			_, w := humago.Unwrap(c)
			f.run(c.Context(), w)
		}}, nil
	})
}

// stream is one reader of the feed.
type stream struct {
	room    *room
	engine  *engine.Engine
	who     identity.Identity
	project string
	after   string
}

func (r *room) newStream(ctx context.Context, in *eventsInput) (*stream, error) {
	s := &stream{room: r, who: identity.From(ctx), project: in.Project, after: in.After}
	if in.Last != "" {
		s.after = in.Last
	}
	if s.project != "" {
		if _, err := r.project(ctx, s.project); err != nil {
			return nil, err
		}
		if _, err := r.Projects.Get(ctx, s.project); err != nil {
			return nil, err
		}
	}
	var err error
	if s.after == "" {
		s.after, err = r.Incidents.ChangesNow(ctx)
	} else if _, reason := input.ParseCursor(s.after); reason != "" {
		err = web.New(http.StatusUnprocessableEntity, "after or Last-Event-ID is not an event id")
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

// run sends changes until the reader leaves or the time limit is reached.
func (s *stream) run(ctx context.Context, w http.ResponseWriter) {
	defer func() { <-s.room.streams }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan web.Event)
	go func() {
		defer cancel()
		if err := caught.Call(func() error { return s.follow(ctx, changes) }); err != nil {
			caught.Log(ctx, s.room.Logger, slog.LevelError, "sendpromptly: a stream of changes failed", err,
				"request_id", web.RequestID(ctx))
		}
	}()
	// The first event has only an id, so that a reader who reconnects before any change continues from there.
	web.SendEvents(ctx, w, web.Event{ID: s.after}, changes)
}

// follow reads the feed. It survives a restart of Postgres: the engine retries every second.
func (s *stream) follow(ctx context.Context, changes chan<- web.Event) error {
	for change, err := range s.engine.Changes(ctx, s.after) {
		if err != nil {
			if ctx.Err() == nil {
				s.room.Logger.WarnContext(ctx, "sendpromptly: the change feed is waiting for the database",
					"request_id", web.RequestID(ctx), "error", err)
			}
			continue
		}
		if !s.who.Sees(change.Project) || s.project != "" && s.project != change.Project {
			continue
		}
		what := change.What
		if change.Kind == "incident" {
			what = wire.StateName(engine.State(what))
		}
		data, err := json.Marshal(Change{Project: change.Project, Kind: change.Kind, What: what, ID: change.ID, At: change.At.UTC()})
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case changes <- web.Event{ID: change.Cursor, Name: change.Kind, Data: data}:
		}
	}
	return nil
}
