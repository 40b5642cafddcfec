package archive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// archiveLine is one effect in an archive, as far as these tests look at it.
type archiveLine struct {
	Effect struct {
		EventID string `json:"event_id"`
	} `json:"effect"`
	Entries []json.RawMessage `json:"entries"`
	Chain   *struct {
		Seq int `json:"seq"`
	} `json:"chain"`
	Seals []json.RawMessage `json:"seals"`
}

// archiveLines reads all files of an archive, by the event.
func archiveLines(t *testing.T, folder string) map[string]archiveLine {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder, "*.jsonl.gz"))
	lines := map[string]archiveLine{}
	for _, path := range files {
		zip := needs(gzip.NewReader(bytes.NewReader(needs(os.ReadFile(path))(t))))(t)
		for decoder := json.NewDecoder(zip); ; {
			var line archiveLine
			if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			lines[line.Effect.EventID] = line
		}
	}
	return lines
}

// eventsLeft are the events of the effects that are still there.
func eventsLeft(t *testing.T, db *enginetest.Database) []string {
	t.Helper()
	rows, err := db.Pool.Query(t.Context(), "SELECT event_id FROM sendpromptly.effects ORDER BY event_id")
	return needs(pgx.CollectRows(needs(rows, err)(t), pgx.RowTo[string]))(t)
}

func do(t *testing.T, db *enginetest.Database, sql string, args ...any) {
	t.Helper()
	needs(db.Pool.Exec(t.Context(), sql, args...))(t)
}

// What is archived is sealed first: every entry of it, numbered in its chain. An effect without a story of its own has no
// chain, unless one was begun.
func TestAnArchiveHoldsSealedTimelines(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for _, event := range []string{"evt_plain", "evt_begun", "evt_failed"} {
		do(t, db, "SELECT sendpromptly.accept('stripe', $1, 'credit_grant')", event)
	}
	begun := needs(e.Find(t.Context(), credits("evt_begun")))(t)
	if _, _, err := e.SealEffect(t.Context(), begun.ID); err != nil {
		t.Fatal(err)
	}
	needs(0, e.Fail(t.Context(), credits("evt_failed"), errors.New("boom")))(t)
	do(t, db, "SELECT sendpromptly.succeed('stripe', event_id) FROM sendpromptly.effects")
	db.Travel(keep + time.Hour)
	s := needs(rooms.Open(db.Pool, ""))(t)
	folder := filepath.Join(t.TempDir(), "archive")
	needs(
		s.Archive.Retain(t.Context(), archive.RetainOptions{
			Project: "default", OlderThan: keep, Archive: folder,
			FullSpeed: true,
		}),
	)(
		t,
	)
	lines := archiveLines(t, folder)
	for event, want := range map[string]struct{ entries, seals int }{
		"evt_plain":  {0, 0},
		"evt_begun":  {0, 2}, // its receipt and its success
		"evt_failed": {4, 5}, // its receipt, and: failure, opened, success, resolved
	} {
		line, sealed := lines[event], 0
		if line.Chain != nil {
			sealed = line.Chain.Seq
		}
		if len(line.Entries) != want.entries || len(line.Seals) != want.seals || sealed != want.seals {
			t.Errorf("%s: %d entries, %d seals, a chain of %d; want %+v", event, len(line.Entries), len(line.Seals), sealed, want)
		}
	}
	if left := eventsLeft(t, db); len(left) != 0 {
		t.Errorf("%v are still there", left)
	}
}

// An effect that cannot be archived, or not removed, stays with a note that says why. All others leave.
func TestAPoisonousEffectNeverWedgesAnArchive(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 45)
	id := map[string]string{"evt_0003": all[3], "evt_0010": all[10]}
	do(t, db, "SELECT sendpromptly.seal(1, $1)", id["evt_0010"])
	do(t, db, "DELETE FROM sendpromptly.chains WHERE effect_id = $1", id["evt_0010"]) // somebody meddled with it
	do(t, db, "DELETE FROM sendpromptly.seals WHERE effect_id = $1 AND seq = 2", id["evt_0010"])
	do(
		t,
		db,
		`CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this row is poisonous'; END $$`,
	)
	do(
		t,
		db,
		`CREATE TRIGGER poison BEFORE DELETE ON sendpromptly.effects FOR EACH ROW WHEN (OLD.event_id = 'evt_0003') EXECUTE `+
			`FUNCTION public.poison()`,
	)
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, FullSpeed: true}
	report, err := s.Archive.Retain(t.Context(), options)
	if err != nil || report.Removed != 43 || len(report.Archives) != 1 ||
		!slices.Equal(report.Archives[0].Stayed, []string{id["evt_0003"]}) {
		t.Fatalf("%+v, %v", report, err)
	}
	if left := eventsLeft(t, db); !slices.Equal(left, []string{"evt_0003", "evt_0010"}) {
		t.Errorf("%v are still there", left)
	}
	if _, there := archiveLines(t, folder)["evt_0010"]; there {
		t.Error("what could not be sealed is in the archive")
	}
	for event, want := range map[string]string{
		"evt_0003": "retention could not remove the effect",
		"evt_0010": "retention could not archive the effect",
	} {
		var note, why string
		err := db.Pool.QueryRow(t.Context(), "SELECT note, error_message FROM sendpromptly.entries WHERE effect_id = $1 AND kind "+
			"= 'note'", id[event]).
			Scan(&note, &why)
		if err != nil || note != want || why == "" {
			t.Errorf("%s: %q, %q, %v", event, note, why, err)
		}
	}
	if report, err = s.Archive.Retain(t.Context(), options); err != nil || report.Removed != 0 {
		t.Errorf("again: %+v, %v", report, err)
	}
}

// Whoever holds a chain is not waited for: its effect stays this time, and nothing is said of it.
func TestAnArchivePassesByAChainThatSomebodyHolds(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 12)
	do(t, db, "SELECT sendpromptly.seal(1, $1)", all[10])
	other := needs(db.Pool.Begin(t.Context()))(t)
	defer func() { _ = other.Rollback(t.Context()) }()
	needs(other.Exec(t.Context(), "SELECT 1 FROM sendpromptly.chains WHERE effect_id = $1 FOR UPDATE", all[10]))(t)
	options := archive.RetainOptions{
		Project:   "default",
		OlderThan: keep,
		Archive:   filepath.Join(t.TempDir(), "archive"),
		FullSpeed: true,
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if report, err := s.Archive.Retain(ctx, options); err != nil || report.Removed != 11 {
		t.Fatalf("%+v, %v", report, err)
	}
	needs(0, other.Rollback(t.Context()))(t)
	if report, err := s.Archive.Retain(t.Context(), options); err != nil || report.Removed != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
}
