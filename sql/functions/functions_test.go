package functions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	return texts
}

// Whoever reads a query finds what it calls.
func TestQueriesNameTheFileOfTheFunctionsThatTheyCall(t *testing.T) {
	home := map[string]string{}
	for name, text := range read(t, "*.sql") {
		for _, found := range regexp.MustCompile(`FUNCTION sendpromptly\.(\w+)\(`).FindAllStringSubmatch(text, -1) {
			home[found[1]] = "sql/functions/" + name
		}
	}
	delete(home, "short") // a name's short form, which is everywhere
	for name, text := range read(t, "../queries/*.sql") {
		for _, query := range strings.Split(text, "-- name: ")[1:] {
			title, _, _ := strings.Cut(query, " ")
			for _, called := range regexp.MustCompile(`sendpromptly\.(\w+)\(`).FindAllStringSubmatch(query, -1) {
				if file := home[called[1]]; file != "" && !strings.Contains(query, file) {
					t.Errorf("%s: %s calls %s and does not name %s", name, title, called[1], file)
				}
			}
		}
	}
}

// A repair's way from the operator to the sender is three functions and a table, each of which names the next.
func TestTheWayOfACallbackIsNamed(t *testing.T) {
	texts := read(t, "*.sql")
	for file, names := range map[string][]string{
		"actions.sql":   {"work_waiting", "claim_callbacks"},
		"look.sql":      {"reprocess", "claim_callbacks"},
		"callbacks.sql": {"reprocess", "work_waiting"},
	} {
		for _, name := range names {
			if !strings.Contains(texts[file], name) {
				t.Errorf("%s does not name %s", file, name)
			}
		}
	}
	if baseline := read(t, "../schema/0001*.sql")["0001_baseline.sql"]; !strings.Contains(
		baseline,
		"reprocess writes the row, work_waiting sees",
	) {
		t.Error("the table callbacks does not say who writes and takes its rows")
	}
}

// What one transaction at a time does has one kind of lock and one spelling of its key.
func TestTurnsAreTakenInOnePlace(t *testing.T) {
	found := 0
	for _, folder := range []string{"*.sql", "../queries/*.sql", "../schema/*.sql"} {
		for name, text := range read(t, folder) {
			if n := strings.Count(text, "advisory_"); n > 0 && name != "turns.sql" {
				t.Errorf("%s takes an advisory lock: take_turn is for that", name)
			} else {
				found += n
			}
		}
	}
	if found != 1 {
		t.Errorf("take_turn takes %d locks", found)
	}
}
