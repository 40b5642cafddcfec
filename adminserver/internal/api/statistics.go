package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Overview is the current state of a project. Counts over 100,000 mean "more".
type Overview struct {
	Owed                  int            `json:"owed" doc:"Effects that wait for their outcome."`
	Overdue               int            `json:"overdue" doc:"Those of them whose deadline passed and that no sweep has processed."`
	Open                  int            `json:"open"`
	OpenFailed            int            `json:"open_failed" doc:"Open incidents with cause failed."`
	OpenMissing           int            `json:"open_missing" doc:"Open incidents with cause missing."`
	Reprocessing          int            `json:"reprocessing" doc:"Open incidents with an attempt in flight."`
	Recovered             int            `json:"recovered" doc:"Incidents that were resolved by a success within the last 24 hours."`
	MedianRecoverySeconds float64        `json:"median_recovery_seconds" doc:"How long those incidents were open; 0 if there are none."`
	CallbacksWaiting      int            `json:"callbacks_waiting"`
	Engines               []EngineHealth `json:"engines"`
}

// EngineHealth is the heartbeat of one engine.
type EngineHealth struct {
	ID            string     `json:"id"`
	Version       string     `json:"version"`
	Host          string     `json:"host"`
	StartedAt     time.Time  `json:"started_at"`
	SeenAt        time.Time  `json:"seen_at"`
	Alive         bool       `json:"alive" doc:"Seen within the last 30 seconds."`
	LastSweepAt   *time.Time `json:"last_sweep_at,omitempty"`
	LagSeconds    float64    `json:"lag_seconds" doc:"How long ago the oldest deadline of an unlocked effect passed."`
	OverdueLocked int        `json:"overdue_locked" doc:"Overdue effects that the app has locked."`
}

func newEngine(e checks.EngineHealth) EngineHealth {
	return EngineHealth{
		ID: e.ID, Version: e.Version, Host: e.Host, StartedAt: e.StartedAt.UTC(), SeenAt: e.SeenAt.UTC(), Alive: e.Alive,
		LastSweepAt: wire.At(e.LastSweepAt), LagSeconds: e.Lag.Seconds(), OverdueLocked: e.OverdueLocked,
	}
}

// Bucket counts what happened in one span of time.
type Bucket struct {
	At         time.Time `json:"at" doc:"The start of the bucket."`
	Receipts   int       `json:"receipts"`
	Failures   int       `json:"failures" doc:"Incidents that opened, with any cause."`
	Recoveries int       `json:"recoveries"`
	Closed     int       `json:"closed"`
}

// Statistics is a series without gaps, oldest first.
type Statistics struct {
	Buckets []Bucket `json:"buckets"`
}

func addStatistics(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/overview",
		id:     "overview-get",
		tag:    "Statistics",
		role:   identity.Viewer,
		title:  "Read the current state of a project",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *InProject) (*reply[Overview], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		o, err := r.Incidents.Statistics.Overview(ctx, project)
		if err != nil {
			return nil, err
		}
		running, err := r.Checks.Engines(ctx)
		return &reply[Overview]{
			Overview{
				Owed:                  o.Owed,
				Overdue:               o.Overdue,
				Open:                  o.Open,
				OpenFailed:            o.OpenByCause[engine.CauseFailed],
				OpenMissing:           o.OpenByCause[engine.CauseMissing],
				Reprocessing:          o.Reprocessing,
				Recovered:             o.RecoveredToday,
				MedianRecoverySeconds: o.MedianRecovery.Seconds(),
				CallbacksWaiting:      o.CallbacksWaiting,
				Engines:               wire.List(running, newEngine),
			},
		}, err
	})
	line.path, line.id, line.title = "/statistics", "statistics-list", "Read what happened, per time bucket"
	line.text = "Counts of receipts, opened incidents, recoveries and closed incidents. A change is counted after a few seconds."
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		Minutes int `query:"minutes" minimum:"1" maximum:"50400" default:"1440" doc:"How far back to go, at most 35 days."`
		Step    int `query:"step_minutes" minimum:"1" maximum:"1440" default:"30" doc:"The width of a bucket. At most 2,000 buckets."`
	},
	) (*reply[Statistics], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		series, err := r.Incidents.Statistics.Series(
			ctx,
			project,
			time.Duration(in.Minutes)*time.Minute,
			time.Duration(in.Step)*time.Minute,
		)
		return &reply[Statistics]{Statistics{wire.List(series, func(b incidents.Bucket) Bucket {
			return Bucket{b.At.UTC(), b.Receipts, b.Failures, b.Recoveries, b.Closed}
		})}}, err
	})
}
