package localpg

import (
	"os"
	"path/filepath"
	"testing"
)

// reachableFolder is one that the user who runs Postgres can pass through.
func reachableFolder(t *testing.T) string {
	t.Helper()
	owner, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	base, err := baseFolder(owner, Config{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(base, "sendpromptly-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // others must pass
		t.Fatal(err)
	}
	return dir
}

func TestAKeptServerFindsItsDataAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(reachableFolder(t), "kept")
	for _, statement := range []string{"SELECT 'first' AS said INTO kept", "SELECT 1"} {
		s, err := StartKept(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := query(t, s.URL(), "SHOW fsync"); got != "on" {
			t.Errorf("fsync = %s", got)
		}
		conn := connection(t, s.URL())
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if got := query(t, s.URL(), "SELECT said FROM kept"); got != "first" {
			t.Errorf("it kept %q", got)
		}
		if _, err := StartKept(t.Context(), dir); err == nil {
			t.Error("two servers on one folder")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
