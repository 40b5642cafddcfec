package api

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Entry is one line of an effect's history.
type Entry struct {
	ID           int64     `json:"id" doc:"Orders the entries of one effect; the receipt is 0."`
	Seq          int       `json:"seq,omitempty" doc:"Its number in the sealed chain; absent until it is sealed."`
	Hash         string    `json:"hash,omitempty" doc:"The chain's head at this entry, in base64url without padding, as tokens have it."`
	Kind         string    `json:"kind"`
	At           time.Time `json:"at" doc:"When it became true, which may be earlier than when it was entered."`
	State        string    `json:"state,omitempty" doc:"The state that the effect entered."`
	Cause        string    `json:"cause,omitempty"`
	Actor        string    `json:"actor,omitempty"`
	ReplayID     string    `json:"replay_id,omitempty"`
	ErrorCode    string    `json:"error_code,omitempty"`
	ErrorMessage string    `json:"error_message,omitempty"`
	Note         string    `json:"note,omitempty"`
	URL          string    `json:"url,omitempty"`
	Status       int       `json:"status,omitempty" doc:"The answer of the repair endpoint."`
	DurationMS   int64     `json:"duration_ms,omitempty"`
	Answer       string    `json:"answer,omitempty" doc:"The beginning of that answer: text from outside, never to be trusted."`
}

func newEntry(e engine.Entry) Entry {
	return Entry{ID: e.ID, Seq: e.Seq, Hash: store.Hash(e.Hash).String(), Kind: string(e.Kind), At: e.At.UTC(), State: string(e.State), Cause: string(e.Cause),
		Actor: string(e.Actor), ReplayID: e.ReplayID, ErrorCode: e.ErrorCode, ErrorMessage: e.ErrorMessage, Note: e.Note, URL: e.URL, Status: e.Status,
		DurationMS: e.Duration.Milliseconds(), Answer: e.Answer}
}

// Timeline is one page of entries, oldest first.
type Timeline struct {
	Entries   []Entry `json:"entries"`
	NextAfter *int64  `json:"next_after,omitempty" doc:"Absent on the last page."`
}

// Attempt is one asking of an operator to repair.
type Attempt struct {
	Number      int        `json:"number"`
	ReplayID    string     `json:"replay_id" format:"uuid"`
	Operator    string     `json:"operator"`
	RequestedAt time.Time  `json:"requested_at"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`
	Result      string     `json:"result,omitempty" enum:"applied,failed,missing,gave_up,stopped" doc:"Absent while it is in flight."`
	Delivery    string     `json:"delivery" enum:"waiting,leased,accepted,gave_up,cancelled"`
	Tries       int        `json:"tries" doc:"Callbacks that were begun."`
	NextAt      *time.Time `json:"next_at,omitempty" doc:"When the next callback goes out."`
	Callbacks   []Callback `json:"callbacks" doc:"Those that have ended, oldest first."`
}

// Callback is one try to reach the repair endpoint.
type Callback struct {
	At         time.Time `json:"at"`
	URL        string    `json:"url,omitempty"`
	Status     int       `json:"status,omitempty"`
	DurationMS int64     `json:"duration_ms"`
	Answer     string    `json:"answer,omitempty" doc:"The beginning of the answer: text from outside, never to be trusted."`
	Error      string    `json:"error,omitempty"`
}

func newAttempt(a store.Attempt) Attempt {
	return Attempt{Number: a.Number, ReplayID: a.ReplayID, Operator: string(a.Operator), RequestedAt: a.RequestedAt.UTC(), FinishedAt: at(a.FinishedAt),
		Result: a.Result, Delivery: a.Delivery, Tries: a.Tries, NextAt: at(a.NextAt), Callbacks: list(a.Callbacks, func(c store.Callback) Callback {
			return Callback{At: c.At.UTC(), URL: c.URL, Status: c.Status, DurationMS: c.Duration.Milliseconds(), Answer: c.Answer, Error: c.Error}
		})}
}

// Attempts are an incident's newest attempts, newest first.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
}

func timeline(r *room, line operation) {
	line.path, line.id, line.title = "/incidents/{id}/timeline", "incidents-timeline", "Read an incident's timeline, oldest entry first"
	add(r, line, func(ctx context.Context, in *struct {
		IncidentPath
		After int64 `query:"after" default:"-1" minimum:"-1" doc:"next_after of the page before."`
	}) (*reply[Timeline], error) {
		_, e, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		i, err := e.Incident(ctx, engine.IncidentID(in.ID))
		if err != nil {
			return nil, err
		}
		page, err := e.Timeline(ctx, i.EffectID, in.After+1)
		body := Timeline{Entries: list(page.Entries, newEntry)}
		if page.Next > 0 {
			after := page.Next - 1
			body.NextAfter = &after
		}
		return &reply[Timeline]{body}, err
	})
	line.path, line.id, line.title = "/incidents/{id}/attempts", "incidents-attempts", "Read an incident's newest 100 attempts with their callbacks"
	add(r, line, func(ctx context.Context, in *IncidentPath) (*reply[Attempts], error) {
		project, _, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		attempts, err := r.Store.Attempts(ctx, project, engine.IncidentID(in.ID))
		return &reply[Attempts]{Attempts{list(attempts, newAttempt)}}, err
	})
}
