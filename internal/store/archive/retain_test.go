package archive_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const keep = 35 * 24 * time.Hour

// aged is a database with n effects that were applied long ago, every tenth of them after an incident.
func aged(t *testing.T, n int) (*enginetest.Database, *rooms.Rooms, []string) {
	t.Helper()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for i := range n {
		k := engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%04d", i), Effect: "credit_grant"}
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: k, Subject: "acct <&>\n\u2028é"})
			return err
		})
		if err == nil && i%10 == 0 {
			err = e.Fail(t.Context(), k, errors.New("line one\nline two"))
		}
		if err == nil {
			err = pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, k) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := enginetest.Seal(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	db.Travel(keep + time.Hour)
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	return db, s, effects(t, db)
}

// effects are the ids that the database holds, in their order.
func effects(t *testing.T, db *enginetest.Database) []string {
	t.Helper()
	rows, err := db.Pool.Query(t.Context(), "SELECT effect_id::text FROM sendpromptly.effects ORDER BY effect_id")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// archived reads the ids of every line of every file that its manifest vouches for, but for those that stayed.
func archived(t *testing.T, folder string) []string {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(folder, "*.manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, path := range manifests {
		var m archive.Manifest
		body, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil || m.State != "removed" {
			t.Fatalf("%s: %v, %v", path, m.State, err)
		}
		zipped, err := os.ReadFile(filepath.Join(folder, m.File))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(zipped); hex.EncodeToString(sum[:]) != m.SHA256 || int64(len(zipped)) != m.Bytes {
			t.Errorf("%s does not match its manifest", m.File)
		}
		lines, entries := 0, 0
		zip, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		for scanner := bufio.NewScanner(zip); scanner.Scan(); lines++ {
			var line struct {
				Effect struct {
					ID         string    `json:"effect_id"`
					Subject    string    `json:"subject"`
					AcceptedAt time.Time `json:"accepted_at"`
				} `json:"effect"`
				Entries []map[string]any `json:"entries"`
			}
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				t.Fatalf("line %d of %s: %v", lines+1, m.File, err)
			}
			if line.Effect.Subject != "acct <&>\n\u2028é" {
				t.Errorf("the subject came back as %q", line.Effect.Subject)
			}
			if line.Effect.AcceptedAt.Before(m.AcceptedFrom) || line.Effect.AcceptedAt.After(m.AcceptedTo) {
				t.Errorf("%s lies outside of the manifest's time range", line.Effect.ID)
			}
			entries += len(line.Entries)
			if !slices.Contains(m.Stayed, line.Effect.ID) {
				ids = append(ids, line.Effect.ID)
			}
		}
		if lines != m.Effects || entries != m.Entries {
			t.Errorf("%s: %d lines and %d entries, its manifest says %d and %d", m.File, lines, entries, m.Effects, m.Entries)
		}
	}
	slices.Sort(ids)
	return ids
}

// Everything that leaves stands in exactly one file.
func TestAnArchiveHoldsWhatLeft(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 45)
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, PerFile: 20, FullSpeed: true}
	dry := options
	dry.DryRun = true
	report, err := s.Archive.Retain(t.Context(), dry)
	if err != nil || report.Removed != 45 || len(effects(t, db)) != 45 {
		t.Fatalf("dry run: %+v, %v", report, err)
	}
	if report, err = s.Archive.Retain(t.Context(), options); err != nil || report.Removed != 45 || len(report.Archives) != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	if left := effects(t, db); len(left) != 0 {
		t.Errorf("%d effects are still there", len(left))
	}
	if got := archived(t, folder); !slices.Equal(got, all) {
		t.Errorf("%d effects in the archive, want %d", len(got), len(all))
	}
	if report, err = s.Archive.Retain(t.Context(), options); err != nil || report.Removed != 0 || len(report.Archives) != 0 {
		t.Errorf("again: %+v, %v", report, err)
	}
	db.RequireSound()
}

// A statement that has begun ends, also where its run is interrupted: the next run would take what it still holds for
// effects that stayed, and the manifest would say so although they leave a moment later.
func TestAnInterruptedRemovalIsNotTakenForEffectsThatStayed(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 7)
	_, err := db.Pool.Exec(t.Context(), `CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_sleep(0.5);
			RETURN OLD;
		EXCEPTION WHEN query_canceled THEN -- the driver's request to cancel comes too late
			PERFORM pg_sleep(0.5);
			RETURN OLD;
		END $$;
		CREATE TRIGGER slow BEFORE DELETE ON sendpromptly.effects FOR EACH ROW WHEN (OLD.event_id = 'evt_0003') EXECUTE FUNCTION
		public.slow()`)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, FullSpeed: true}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.Archive.Retain(ctx, options)
		ended <- err
	}()
	for removing := false; !removing; {
		const sleeps = `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')`
		if err := db.Pool.QueryRow(t.Context(), sleeps).Scan(&removing); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := s.Archive.Retain(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	if got := archived(t, folder); !slices.Equal(got, all) || len(effects(t, db)) > 0 {
		t.Errorf("%d effects in the archive, want %d; %d are still there", len(got), len(all), len(effects(t, db)))
	}
}

// A run that is interrupted at any of its statements neither loses nor doubles an effect: the next run finishes.
func TestAnInterruptedArchiveIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 30)
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, PerFile: 7, FullSpeed: true}
	for patience, runs := time.Millisecond, 0; ; runs++ {
		ctx, stop := context.WithTimeout(t.Context(), patience)
		report, err := s.Archive.Retain(ctx, options)
		stop()
		if err == nil && len(effects(t, db)) == 0 {
			t.Logf("finished after %d interruptions", runs)
			break
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%+v, %v", report, err)
		}
		patience += 3 * time.Millisecond
	}
	if got := archived(t, folder); !slices.Equal(got, all) {
		t.Errorf("%d effects in the archive, want %d", len(got), len(all))
	}
	leftovers, _ := filepath.Glob(filepath.Join(folder, "*.part"))
	if len(leftovers) > 0 {
		t.Errorf("left over: %v", leftovers)
	}
}

// A crash between the two: the file is written, its effects are still there, and one of them changed since.
func TestAnEffectThatChangedAfterItWasWrittenStays(t *testing.T) {
	t.Parallel()
	db, s, all := aged(t, 3)
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, FullSpeed: true}
	if _, err := db.Pool.Exec(t.Context(), "ALTER FUNCTION sendpromptly.retain_forget RENAME TO broken"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Archive.Retain(t.Context(), options); err == nil {
		t.Fatal("it went on without the function")
	}
	if _, err := db.Pool.Exec(t.Context(), "ALTER FUNCTION sendpromptly.broken RENAME TO retain_forget"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool.Exec(t.Context(), "SELECT sendpromptly.accept('stripe', 'evt_0001', 'credit_grant')"); err != nil {
		t.Fatal(err)
	}
	db.Travel(keep + time.Hour) // the duplicate is old too by now, but the file knows nothing of it
	report, err := s.Archive.Retain(t.Context(), options)
	if err != nil || len(report.Archives) != 2 || !slices.Equal(report.Archives[0].Stayed, []string{all[1]}) ||
		report.Archives[1].Effects != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := archived(t, folder); !slices.Equal(got, all) {
		t.Errorf("%v in the archive, want %v", got, all)
	}
}

// A file that is not the one its manifest describes vouches for nothing.
func TestNothingLeavesForAFileThatWasChanged(t *testing.T) {
	t.Parallel()
	db, s, _ := aged(t, 3)
	folder := filepath.Join(t.TempDir(), "archive")
	options := archive.RetainOptions{Project: "default", OlderThan: keep, Archive: folder, FullSpeed: true}
	if _, err := db.Pool.Exec(t.Context(), "ALTER FUNCTION sendpromptly.retain_forget RENAME TO broken"); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Archive.Retain(t.Context(), options)
	if _, err := db.Pool.Exec(t.Context(), "ALTER FUNCTION sendpromptly.broken RENAME TO retain_forget"); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*.jsonl.gz"))
	if len(files) != 1 {
		t.Fatalf("%v", files)
	}
	if err := os.WriteFile(files[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Archive.Retain(t.Context(), options); err == nil ||
		!strings.Contains(err.Error(), "does not match its manifest") {
		t.Errorf("%v", err)
	}
	if len(effects(t, db)) != 3 {
		t.Error("effects left")
	}
}
