package incidents

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Statistics returns counts by project.
type Statistics struct {
	db       *store.DB
	projects *projects.Projects
}

// CountCap is the highest exact count of an [Overview]; a higher count means "more".
const CountCap = 100_000

// Overview is the current state of a project. Counts are exact up to [CountCap]; the series and the
// recoveries follow after a moment.
type Overview struct {
	// Owed counts effects that wait for an outcome; Overdue counts those whose deadline has passed,
	// but which no sweep has handled yet.
	Owed, Overdue int
	// OpenByCause counts open incidents by cause; Reprocessing counts those with an attempt in
	// flight. If more than CountCap are open, the newest are counted.
	OpenByCause  map[engine.Cause]int
	Open         int
	Reprocessing int
	// RecoveredToday counts incidents that a success resolved within the last 24 hours.
	// MedianRecovery is how long they were open, 0 if there are none.
	RecoveredToday int
	MedianRecovery time.Duration
	// CallbacksWaiting counts callbacks that are waiting or being sent.
	CallbacksWaiting int
	// Series has a bucket for each 30 minutes of the last 24 hours, including the current one.
	Series []Bucket
}

// Bucket counts what happened in one span of time.
type Bucket struct {
	// At is when the span begins.
	At       time.Time
	Receipts int
	// Failures counts incidents that opened, with any cause.
	Failures int
	// Recoveries counts effects that succeeded after an incident had opened.
	Recoveries int
	// Closed counts incidents that an operator closed.
	Closed int
}

// Overview returns the current state of a project, or [engine.ErrNotFound]. Its numbers are stored
// counters or capped, so a long history does not make it slow.
func (s *Statistics) Overview(ctx context.Context, project string) (Overview, error) {
	projectID, err := s.projects.ID(ctx, project)
	if err != nil {
		return Overview{}, err
	}
	row, err := s.db.Queries.OverviewGet(ctx, s.db.Pool, projectID)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{
		Owed: row.Owed, Overdue: row.Overdue, RecoveredToday: row.Recovered, CallbacksWaiting: row.CallbacksWaiting,
		MedianRecovery: pg.FromSeconds(row.MedianSeconds), OpenByCause: map[engine.Cause]int{},
	}
	open, err := s.db.Queries.OpenCount(ctx, s.db.Pool, projectID)
	if err != nil {
		return Overview{}, err
	}
	for _, n := range open {
		o.OpenByCause[engine.Cause(n.Cause)] += n.Incidents
		o.Open += n.Incidents
		if engine.State(n.State) == engine.StateReprocessing {
			o.Reprocessing += n.Incidents
		}
	}
	o.Series, err = s.series(ctx, projectID, 24*time.Hour, 30*time.Minute)
	return o, err
}

// Series returns what happened in a project in the last span, in buckets of step, oldest first and
// without gaps; the last one is the current one. step is in whole minutes, span at most 35 days,
// and there are at most 2,000 buckets.
func (s *Statistics) Series(ctx context.Context, project string, span, step time.Duration) ([]Bucket, error) {
	switch {
	case step < time.Minute || step%time.Minute != 0:
		return nil, &engine.FieldError{Field: "step", Reason: "must be whole minutes"}
	case span < step || span > 35*24*time.Hour:
		return nil, &engine.FieldError{Field: "span", Reason: "must be between step and 35 days"}
	case span/step > 2000:
		return nil, &engine.FieldError{Field: "step", Reason: "is too short: at most 2,000 buckets"}
	}
	projectID, err := s.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	return s.series(ctx, projectID, span, step)
}

// epoch is where buckets are counted from, as in the database.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *Statistics) series(ctx context.Context, projectID int, span, step time.Duration) ([]Bucket, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	last := epoch.Add(now.Sub(epoch) / step * step)
	buckets := make([]Bucket, span/step)
	place := map[time.Time]int{}
	for i := range buckets {
		buckets[i].At = last.Add(-time.Duration(len(buckets)-1-i) * step)
		place[buckets[i].At] = i
	}
	rows, err := s.db.Queries.StatisticsList(
		ctx,
		s.db.Pool,
		dbsqlc.StatisticsListParams{Step: pg.Interval(step), ProjectID: projectID, Since: buckets[0].At},
	)
	for _, r := range rows {
		if i, ok := place[r.At.UTC()]; ok {
			b := &buckets[i]
			b.Receipts, b.Failures, b.Recoveries, b.Closed = r.Receipts, r.Opened, r.Recovered, r.Closed
		}
	}
	return buckets, err
}
