package api

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Attempt is one reprocess request.
type Attempt struct {
	Number      int        `json:"number"`
	ReplayID    string     `json:"replay_id" format:"uuid"`
	Operator    string     `json:"operator"`
	RequestedAt time.Time  `json:"requested_at"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`
	Result      string     `json:"result,omitempty" enum:"applied,failed,missing,gave_up,stopped" doc:"Absent while the attempt is in flight."`
	Delivery    string     `json:"delivery" enum:"waiting,leased,accepted,gave_up,cancelled"`
	Tries       int        `json:"tries" doc:"Callbacks that were started."`
	NextAt      *time.Time `json:"next_at,omitempty" doc:"When the next callback is due."`
	Callbacks   []Callback `json:"callbacks" doc:"Callbacks that have ended, oldest first."`
}

// Callback is one try to reach the repair endpoint.
type Callback struct {
	At         time.Time `json:"at"`
	URL        string    `json:"url,omitempty"`
	Status     int       `json:"status,omitempty"`
	DurationMS int64     `json:"duration_ms"`
	Answer     string    `json:"answer,omitempty" doc:"The beginning of the answer: untrusted text from the app."`
	Error      string    `json:"error,omitempty"`
}

func newAttempt(a incidents.AttemptHistory) Attempt {
	return Attempt{
		Number:      a.Number,
		ReplayID:    a.ReplayID,
		Operator:    string(a.Operator),
		RequestedAt: a.RequestedAt.UTC(),
		FinishedAt:  wire.At(a.FinishedAt),
		Result:      a.Result,
		Delivery:    a.Delivery,
		Tries:       a.Tries,
		NextAt:      wire.At(a.NextAt),
		Callbacks: wire.List(a.Callbacks, func(c incidents.Callback) Callback {
			return Callback{
				At:         c.At.UTC(),
				URL:        c.URL,
				Status:     c.Status,
				DurationMS: c.Duration.Milliseconds(),
				Answer:     c.Answer,
				Error:      c.Error,
			}
		}),
	}
}

// Attempts are an incident's newest attempts, newest first.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
}

func timeline(r *room, line operation) {
	line.path, line.id, line.title = "/incidents/{id}/timeline", "incidents-timeline",
		"Read an incident's timeline, oldest entry first"
	add(r, line, func(ctx context.Context, in *struct {
		IncidentPath
		After int64 `query:"after" default:"-1" minimum:"-1" doc:"next_after of the previous page."`
	},
	) (*reply[wire.Timeline], error) {
		_, e, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		i, err := e.Incident(ctx, engine.IncidentID(in.ID))
		if err != nil {
			return nil, err
		}
		page, err := e.Timeline(ctx, i.EffectID, in.After+1)
		return &reply[wire.Timeline]{wire.NewTimeline(page)}, err
	})
	line.path, line.id, line.title = "/incidents/{id}/attempts", "incidents-attempts",
		"Read an incident's newest 100 attempts with their callbacks"
	add(r, line, func(ctx context.Context, in *IncidentPath) (*reply[Attempts], error) {
		project, _, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		attempts, err := r.Incidents.Attempts(ctx, project, engine.IncidentID(in.ID))
		return &reply[Attempts]{Attempts{wire.List(attempts, newAttempt)}}, err
	})
}
