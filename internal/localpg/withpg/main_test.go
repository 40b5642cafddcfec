package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// asWithpg makes the test binary be the command itself.
const asWithpg = "WITHPG_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asWithpg) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// withpg is the command with args, started without a DATABASE_URL so that it starts a server.
func withpg(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asWithpg+"=1", "DATABASE_URL=")
	return cmd
}

// code returns the exit code of a finished command.
func code(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err == nil {
		return 0
	}
	return exit.ExitCode()
}

func TestCommandGetsADatabaseAndItsCodeIsOurs(t *testing.T) {
	t.Parallel()
	out, err := withpg("--", "sh", "-c", `echo "$DATABASE_URL"; exit 7`).Output()
	if code(t, err) != 7 || !strings.HasPrefix(string(out), "postgres://") {
		t.Errorf("%v, %q", err, out)
	}
	if conn, err := pgx.Connect(t.Context(), strings.TrimSpace(string(out))); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server outlived the command")
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	t.Parallel()
	cmd := withpg("--", "sh", "-c", `trap 'kill $!; exit 9' TERM; echo "$DATABASE_URL"; sleep 60 & wait`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), strings.TrimSpace(url))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd.Wait()); got != 9 {
		t.Errorf("exit code %d, want the 9 of the trap", got)
	}
	if _, err := conn.WaitForNotification(context.Background()); err == nil {
		t.Error("the server outlived the command")
	}
}

func TestWrongUseIsTold(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{exitUsage: {"--"}, exitNotRun: {"no-such-command"}} {
		out, err := withpg(args...).CombinedOutput()
		if code(t, err) != want || len(out) == 0 {
			t.Errorf("withpg %q: %v, %q", args, err, out)
		}
	}
}

func TestFindSaysWhatWouldBeUsed(t *testing.T) {
	t.Parallel()
	out, err := withpg("-find").Output()
	if code(t, err) != 0 || !strings.Contains(string(out), "ostgres") {
		t.Errorf("%v, %q", err, out)
	}
	cmd := withpg("-find")
	cmd.Env = append(cmd.Env, "DATABASE_URL=postgres://u:sesame@127.0.0.1:1/app")
	if out, err = cmd.Output(); code(t, err) != 0 || string(out) != "the server of DATABASE_URL\n" {
		t.Errorf("%v, %q", err, out)
	}
}
