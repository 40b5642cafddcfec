// Package archive removes effects that were settled long ago, and can write them to files first.
package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/retention"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Archive is the room.
type Archive struct {
	db       *store.DB
	projects *projects.Projects
}

// New opens the room.
func New(db *store.DB, p *projects.Projects) *Archive { return &Archive{db: db, projects: p} }

// RetainOptions say which effects are removed, and how.
type RetainOptions struct {
	// Project is the project's name.
	Project string
	// OlderThan is how long an effect must have been settled and unchanged: at least 35 days. Zero
	// means the project's retention.
	OlderThan time.Duration
	// Archive is a folder to write the effects to before they are removed; empty for none.
	Archive string
	// DryRun only counts.
	DryRun bool
	// FullSpeed runs without pauses, which may slow the app.
	FullSpeed bool
	// PerFile is the most effects of one archive file. Default: 50,000.
	PerFile int
}

// RetainReport is the result of Retain.
type RetainReport struct {
	Project string `json:"project"`
	DryRun  bool   `json:"dry_run"`
	// Seen is the number of candidate effects: those with a receipt that is old enough. Removed is
	// how many of them were removed, or would be. The others were not settled early enough.
	Seen    int `json:"seen"`
	Removed int `json:"removed"`
	// Archives are the finished files, including those of an interrupted earlier run.
	Archives []Manifest `json:"archives,omitempty"`
	// LongestMilliseconds is the longest time that a statement held its locks, up to its commit, by
	// Postgres's clock.
	LongestMilliseconds float64 `json:"longest_ms"`
}

// Retain removes a project's effects that were settled longer ago than OlderThan, with all their
// rows: receipt, timeline, chain, incident, attempts, callbacks, search terms. It never removes an
// effect that is awaiting, has an open incident or an issued proof, or has changed within that
// time. It uses statements of about 30 ms and waits for no lock.
//
// With an archive it works file by file: it writes, syncs and names the file, removes its effects,
// and then updates the manifest. After an interruption, the next run with the same folder finishes
// the work: no effect is lost, and none is in two files. Only one run at a time may use a folder.
func (a *Archive) Retain(ctx context.Context, o RetainOptions) (RetainReport, error) {
	report := RetainReport{Project: o.Project, DryRun: o.DryRun}
	project, err := a.projects.Get(ctx, o.Project)
	if err != nil {
		return report, err
	}
	if o.OlderThan == 0 {
		o.OlderThan = project.Retention
	}
	switch {
	case o.OlderThan == 0:
		return report, &engine.FieldError{Field: "older_than", Reason: "is required: the project has no retention of its own"}
	case o.OlderThan < retention.Least:
		return report, &engine.FieldError{
			Field:  "older_than",
			Reason: "must be at least 840h (35 days): providers redeliver events for 30 days",
		}
	case o.PerFile < 0:
		return report, &engine.FieldError{Field: "per_file", Reason: "must not be negative"}
	}
	now, err := a.db.Now(ctx)
	if err != nil {
		return report, err
	}
	before := now.Add(-o.OlderThan)
	pace := &retention.Pace{FullSpeed: o.FullSpeed || o.DryRun}
	if o.Archive == "" || o.DryRun {
		report.Seen, report.Removed, err = retention.Walk(ctx, a.db.Pool, a.db.Queries, pace, o.Project, before, o.DryRun)
	} else {
		err = a.archive(ctx, o, before, pace, &report)
	}
	report.LongestMilliseconds = float64(pace.Longest.Microseconds()) / 1000
	if err != nil {
		return report, fmt.Errorf("retaining %s: %w", o.Project, err)
	}
	return report, nil
}
