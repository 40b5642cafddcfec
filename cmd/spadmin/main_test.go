package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spadmin": main})
}

// TestCommandLines runs each session of testdata against a database of its own,
// empty at the start.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			db := enginetest.NewEmpty(t)
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(env *testscript.Env) error {
					env.Setenv("DATABASE_URL", db.URL)
					env.Setenv("SENDPROMPTLY_ALLOW_NETWORKS", "127.0.0.0/8")
					// A program built with the race detector waits a second before it exits, which is most of a session.
					env.Setenv("GORACE", "atexit_sleep_ms=0")
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"sql": func(ts *testscript.TestScript, _ bool, args []string) {
						if _, err := db.Pool.Exec(t.Context(), args[0]); err != nil {
							ts.Fatalf("%v", err)
						}
					},
					// from-json NAME FILE MEMBER sets a variable to a member of a JSON object, such as proof.jti, stdout being a file.
					"from-json": func(ts *testscript.TestScript, _ bool, args []string) {
						var value any
						err := json.Unmarshal([]byte(ts.ReadFile(args[1])), &value)
						for name := range strings.SplitSeq(args[2], ".") {
							object, _ := value.(map[string]any)
							value = object[name]
						}
						if err != nil || value == nil {
							ts.Fatalf("no %s: %v", args[2], err)
						}
						ts.Setenv(args[0], fmt.Sprint(value))
					},
					// first-incident sets INCIDENT to the id of the oldest incident.
					"first-incident": func(ts *testscript.TestScript, _ bool, _ []string) {
						var id string
						const oldest = "SELECT i.incident_id::text FROM sendpromptly.incidents AS i ORDER BY i.incident_id LIMIT 1"
						if err := db.Pool.QueryRow(t.Context(), oldest).Scan(&id); err != nil {
							ts.Fatalf("%v", err)
						}
						ts.Setenv("INCIDENT", id)
					},
					// exits CODE ARGS runs spadmin ARGS, which must end with that code.
					"exits": func(ts *testscript.TestScript, _ bool, args []string) {
						code, exit := 0, &exec.ExitError{}
						if err := ts.Exec("spadmin", args[1:]...); errors.As(err, &exit) {
							code = exit.ExitCode()
						} else if err != nil {
							ts.Fatalf("%v", err)
						}
						if fmt.Sprint(code) != args[0] {
							ts.Fatalf("exit code %d, want %s", code, args[0])
						}
					},
					// first VARIABLE ARGS sets a variable to the first id in the list that spadmin ARGS prints as JSON.
					"first": func(ts *testscript.TestScript, _ bool, args []string) {
						if err := ts.Exec("spadmin", args[1:]...); err != nil {
							ts.Fatalf("%v", err)
						}
						var lists map[string][]struct{ ID string }
						err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &lists)
						for _, rows := range lists {
							if len(rows) > 0 {
								ts.Setenv(args[0], rows[0].ID)
								return
							}
						}
						ts.Fatalf("no id: %v", err)
					},
				},
				RequireExplicitExec: true,
				UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
			})
		})
	}
}
