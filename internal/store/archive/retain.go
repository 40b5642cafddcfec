// Package archive is the room of what leaves the database: effects that were
// settled long ago are removed, into files if wanted.
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

// RetainOptions say what leaves, and where to.
type RetainOptions struct {
	// Project is the project's name.
	Project string
	// OlderThan is how long ago an effect must have been settled, without
	// anything happening to it since. At least 35 days. Zero: as the project is set.
	OlderThan time.Duration
	// Archive is a folder that the effects are written to before they leave;
	// empty for none.
	Archive string
	// DryRun only counts.
	DryRun bool
	// FullSpeed leaves out the rests that the app's own work is spared by.
	FullSpeed bool
	// PerFile is how many effects a file of the archive holds at most. Default: 50,000.
	PerFile int
}

// RetainReport is what Retain did.
type RetainReport struct {
	Project string `json:"project"`
	DryRun  bool   `json:"dry_run"`
	// Seen are the effects that are old enough by their receipt; Removed of them
	// went, or would go. The others are not settled for so long.
	Seen    int `json:"seen"`
	Removed int `json:"removed"`
	// Archives are the files that were finished, those of an earlier run that
	// had been interrupted included.
	Archives []Manifest `json:"archives,omitempty"`
	// LongestMilliseconds is how long a statement held its locks at most, by
	// Postgres's clock, up to its commit.
	LongestMilliseconds float64 `json:"longest_ms"`
}

// Retain removes a project's effects that were settled for so long, with all
// their rows: receipt, timeline, chain, incident, attempts, callbacks, search
// terms. It never removes one that is awaiting, has an open incident or an
// issued proof, or to which anything happened within the time. The work is done
// in statements of about 30 ms, and nobody's lock is waited for.
//
// With an archive it goes file by file: written, synced and named, then the
// effects in it leave, then its manifest says so. Interrupted anywhere, the next
// run with the same folder finishes what was begun: no effect is lost, and none
// stands in two files. One run at a time may use a folder.
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
		return report, &engine.FieldError{Field: "older_than", Reason: "is needed: the project has no retention of its own"}
	case o.OlderThan < retention.Least:
		return report, &engine.FieldError{
			Field:  "older_than",
			Reason: "must be 840h (35 days) at least: providers redeliver events for 30 days",
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
