package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// What --once --json prints is a contract: these members and no others, and
// nothing around them.
func TestDemoPrintsOneJSONObject(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"demo", "--once", "--json"}, &stdout, &stderr); code != exitFine {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var object struct {
		Effects   int `json:"effects"`
		Incidents []struct {
			ID         string    `json:"id"`
			Provider   string    `json:"provider"`
			EventType  string    `json:"event_type"`
			EffectType string    `json:"effect_type"`
			Cause      string    `json:"cause"`
			OpenedAt   time.Time `json:"opened_at"`
			ResolvedAt time.Time `json:"resolved_at"`
			Timeline   []struct {
				Seq  int       `json:"seq"`
				Kind string    `json:"kind"`
				At   time.Time `json:"at"`
			} `json:"timeline"`
		} `json:"incidents"`
		Verify struct {
			OK bool `json:"ok"`
		} `json:"verify"`
		ProofURL string `json:"proof_url"`
		Proof    struct {
			Valid bool `json:"valid"`
		} `json:"proof"`
	}
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	if rest, err := decoder.Token(); err == nil {
		t.Errorf("after the object comes %v", rest)
	}
	if object.Effects < 20 || len(object.Incidents) != 6 || !object.Verify.OK {
		t.Errorf("%d effects, %d incidents, verify %v", object.Effects, len(object.Incidents), object.Verify.OK)
	}
	if issuer, token, ok := proofs.SplitLink(
		object.ProofURL,
	); !ok || !strings.HasPrefix(issuer, "http://127.0.0.1:") || len(token) < 100 ||
		!object.Proof.Valid {
		t.Errorf("proof %q, valid %v", object.ProofURL, object.Proof.Valid)
	}
	for _, i := range object.Incidents {
		if i.ID == "" || i.Provider == "" || i.EventType == "" || i.EffectType == "" || i.ResolvedAt.Before(i.OpenedAt) ||
			len(i.Timeline) < 5 {
			t.Errorf("incident %+v", i)
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
}

func TestDemoNamesTheStepsThatWereNotSeen(t *testing.T) {
	var stderr bytes.Buffer
	s := &cli.Session{Stderr: &stderr}
	if err := sayMissing(t.Context(), s, &demo.MissingError{Steps: []string{"one", "two\x1b[31m"}}); !errors.Is(err, cli.ErrFound) {
		t.Errorf("error %v, want the one that gives exit code 1", err)
	}
	if want := "did not happen: one\ndid not happen: two·[31m\n"; stderr.String() != want {
		t.Errorf("printed %q, want %q", stderr.String(), want)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	stderr.Reset()
	if err := sayMissing(
		interrupted,
		s,
		&demo.MissingError{Steps: []string{"one"}},
	); err == nil || errors.Is(err, cli.ErrFound) ||
		stderr.Len() > 0 {
		t.Errorf("error %v, printed %q: want an error and nothing printed", err, &stderr)
	}
}

func TestNobodyWatchesAPipeOrAFile(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{write, file, null} {
		if isTerminal(f) {
			t.Errorf("%s is taken for a terminal", f.Name())
		}
	}
	if isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
}
