// Command withpg runs a command with DATABASE_URL set to a Postgres that it finds or starts.
//
//	go run ./internal/localpg/withpg -- go test ./...
//
// All test packages of such a run share one server. withpg passes signals to the command and exits
// with the command's code. With -find it only prints what it would use; if there is nothing, it
// exits with 125 and prints what to install.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// Exit codes of our own, as env(1) and the shells have them.
const (
	exitUsage    = 2
	exitNoServer = 125
	exitNotRun   = 127
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withpg [--] command [argument ...], or withpg -find")
		os.Exit(exitUsage)
	}
	if args[0] == "-find" {
		os.Exit(find())
	}
	os.Exit(run(args))
}

// find says what run would use.
func find() int {
	found, err := localpg.Find(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitNoServer
	}
	fmt.Println(found)
	return 0
}

// run returns the exit code, so that its deferred calls run before the exit.
func run(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	if cmd.Err != nil { // before a server is started for nothing
		fmt.Fprintln(os.Stderr, cmd.Err)
		return exitNotRun
	}
	server, err := localpg.Open(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitNoServer
	}
	defer func() { _ = server.Close() }()

	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "DATABASE_URL="+server.URL())

	// Caught from before the start: a signal in between must not end us and leave the command without its database.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitNotRun
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-done:
			return exitCode(err)
		}
	}
}

// exitCode is the command's own code, or 128 and the signal that ended it.
func exitCode(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return exitNotRun
		}
		return 0
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
