package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/retention"
)

// Manifest describes one archive file, in the same folder.
type Manifest struct {
	// Format is 1.
	Format  int    `json:"format"`
	Project string `json:"project"`
	// File is the name of the file: JSON Lines, compressed with gzip, one effect with all its rows
	// per line, oldest first.
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	// Effects is the number of lines; Entries and Incidents count what they contain.
	Effects   int `json:"effects"`
	Entries   int `json:"entries"`
	Incidents int `json:"incidents"`
	// AcceptedFrom and AcceptedTo are when the first and the last effect were accepted.
	AcceptedFrom time.Time `json:"accepted_from"`
	AcceptedTo   time.Time `json:"accepted_to"`
	// SettledBefore is the time before which all of them were settled.
	SettledBefore time.Time `json:"settled_before"`
	// State is "written" until the effects are removed from the database, then "removed".
	State string `json:"state"`
	// Stayed are effects that changed after they were written: they are still in the database, so
	// ignore their lines.
	Stayed []string `json:"stayed"`
}

const (
	stateWritten = "written"
	stateRemoved = "removed"

	manifestSuffix = ".manifest.json"
	perFile        = 50_000
	// readAtOnce is how many effects are read with all their rows at once. Each needs a
	// subtransaction, and Postgres caches 64 per transaction.
	readAtOnce = 50
	// statementTimeout bounds one removal, which limits itself to 30 milliseconds.
	statementTimeout = 10 * time.Second
)

// archive finishes an interrupted run in the folder, and then writes and removes file by file until
// no effect is old enough.
func (a *Archive) archive(
	ctx context.Context,
	o RetainOptions,
	before time.Time,
	pace *retention.Pace,
	report *RetainReport,
) error {
	if o.PerFile == 0 {
		o.PerFile = perFile
	}
	if err := os.MkdirAll(o.Archive, 0o700); err != nil {
		return err
	}
	unlock, err := lockFolder(o.Archive)
	if err != nil {
		return &engine.FieldError{Field: "archive", Reason: "is in use by another run"}
	}
	defer unlock()
	if err := a.finishBegun(ctx, o, pace, report); err != nil {
		return err
	}
	for after := retention.First; ; {
		m, ids, last, err := a.writeFile(ctx, o, before, pace, after, report)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := a.removeArchived(ctx, o, pace, m, ids, report); err != nil {
			return err
		}
		after = last
	}
}

// finishBegun removes the effects that are in files of an earlier run from the database.
func (a *Archive) finishBegun(ctx context.Context, o RetainOptions, pace *retention.Pace, report *RetainReport) error {
	manifests, err := filepath.Glob(filepath.Join(o.Archive, "*"+manifestSuffix))
	if err != nil {
		return err
	}
	for _, path := range manifests {
		m, err := readManifest(path)
		if err != nil {
			return err
		}
		if m.Project != o.Project || m.State != stateWritten {
			continue
		}
		ids, err := finishFile(o.Archive, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.File, err)
		}
		if err := a.removeArchived(ctx, o, pace, m, ids, report); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes one file and its manifest. It returns no ids if nothing was left to write.
func (a *Archive) writeFile(
	ctx context.Context,
	o RetainOptions,
	before time.Time,
	pace *retention.Pace,
	after string,
	report *RetainReport,
) (m Manifest, ids []string, last string, err error) {
	out, err := newArchiveFile(o.Archive, o.Project)
	if err != nil {
		return m, nil, after, err
	}
	defer out.abandon()
	for out.manifest.Effects < o.PerFile {
		if err := ctx.Err(); err != nil {
			return m, nil, after, err
		}
		var rows []dbsqlc.EffectsReadForArchiveRow
		batch := min(readAtOnce, o.PerFile-out.manifest.Effects)
		params := dbsqlc.EffectsReadForArchiveParams{Project: o.Project, SettledBefore: before, After: after, Batch: batch}
		err := pace.Step(ctx, a.db.Pool, func(db dbsqlc.DBTX) (held float64, err error) {
			begun, stop := uninterrupted(ctx)
			defer stop()
			rows, err = a.db.Queries.EffectsReadForArchive(begun, db, params)
			for _, row := range rows {
				held = max(held, row.HeldSeconds)
			}
			return held, err
		})
		if err != nil {
			return m, nil, after, err
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			report.Seen++
			after = row.EffectID
			if row.Document == "" {
				continue
			}
			ids = append(ids, row.EffectID)
			if err := out.add(row.EffectID, row.Document); err != nil {
				return m, nil, after, err
			}
		}
	}
	if len(ids) == 0 {
		return m, nil, after, nil
	}
	m, err = out.finish(before)
	return m, ids, after, err
}

// uninterrupted is the context of one statement, which ends also if its run is interrupted: the next
// run would find the rows locked, leave out what was being read, and report what was leaving as stayed.
func uninterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
}

// removeArchived removes the effects of a file and completes its manifest.
func (a *Archive) removeArchived(
	ctx context.Context,
	o RetainOptions,
	pace *retention.Pace,
	m Manifest,
	ids []string,
	report *RetainReport,
) error {
	m.Stayed = []string{}
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rows []dbsqlc.EffectsForgetRow
		params := dbsqlc.EffectsForgetParams{
			Project:       o.Project,
			SettledBefore: m.SettledBefore,
			EffectIds:     ids[:min(retention.Batch, len(ids))],
		}
		err := pace.Step(ctx, a.db.Pool, func(db dbsqlc.DBTX) (held float64, err error) {
			begun, stop := uninterrupted(ctx)
			defer stop()
			rows, err = a.db.Queries.EffectsForget(begun, db, params)
			for _, row := range rows {
				held = max(held, row.HeldSeconds)
			}
			return held, err
		})
		for _, row := range rows {
			switch {
			case row.Gone:
				report.Removed++
			case row.There:
				m.Stayed = append(m.Stayed, row.EffectID)
			}
		}
		if err != nil {
			return err
		}
		ids = ids[len(rows):]
	}
	m.State = stateRemoved
	report.Archives = append(report.Archives, m)
	return writeManifest(o.Archive, m)
}

// errTampered means that a file does not match its manifest.
var errTampered = errors.New("does not match its manifest: nothing was removed; move both files away to start again")

// fileName has the project, the first receipt's time and its effect's id.
func fileName(project string, at time.Time, id string) string {
	return fmt.Sprintf(
		"sendpromptly-%s-%s-%s.jsonl.gz",
		project,
		at.UTC().Format("20060102T150405Z"),
		strings.ReplaceAll(id, "-", "")[16:],
	)
}
