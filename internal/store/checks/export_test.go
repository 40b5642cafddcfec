package checks

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

var update = flag.Bool("update", false, "write schema.txt anew from the migrations")

// fingerprintOf is used by the external test, which may make databases.
func fingerprintOf(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	lines, err := fingerprint(t.Context(), dbsqlc.New(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// FingerprintIsCurrent compares schema.txt with what the migrations make.
func FingerprintIsCurrent(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	have := fingerprintOf(t, pool)
	if *update {
		if err := os.WriteFile("schema.txt", []byte(strings.Join(have, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, line := range missingFrom(have, expectedSchema()) {
		t.Errorf("schema.txt lacks: %s", line)
	}
	for _, line := range missingFrom(expectedSchema(), have) {
		t.Errorf("the migrations no longer make: %s", line)
	}
	if t.Failed() {
		t.Log("run: make generate")
	}
}
