package ingest_test

import (
	"os/exec"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
)

// runScript runs a client made of curl against the server.
func runScript(t *testing.T, s *server, name string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "testdata/"+name)
	command.Env = append(command.Environ(), "URL="+s.url, "KEY="+s.keys["default"], "SUSPENDED_KEY="+s.keys["paused"])
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	t.Logf("%s", out)
}

// The scripts in testdata are a client written from the hosted product's public
// documentation. It must work here unchanged.
func TestAClientOfTheHostedProductWorksUnchanged(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	runScript(t, s, "flow.sh")
	runScript(t, s, "errors.sh")
	if n := s.count("SELECT count(*) FROM sendpromptly.incidents WHERE state = 'applied'"); n != 1 {
		t.Errorf("%d incidents were opened and resolved, want 1", n)
	}
	s.db.RequireSound()
	runScript(t, start(t, adminserver.IngestLimits{Rate: 0.1, Burst: 2}), "limited.sh")
	if _, err := s.db.Pool.Exec(t.Context(), "ALTER TABLE sendpromptly.idempotency RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	runScript(t, s, "broken.sh")
}
