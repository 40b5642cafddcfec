package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo"
)

type demoCommand struct {
	Once bool `help:"End after the story, even on a terminal."`
	JSON bool `help:"Print only one JSON object to standard output. Implies --once."`
}

// Run plays the story. If a step did not happen, it prints a line for each one
// and gives exit code 1.
func (c demoCommand) Run(s *cli.Session) (err error) {
	// The database must be dropped even if the terminal or the pipe was closed.
	ctx, stop := signal.NotifyContext(s.Context, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	if s.DatabaseURL != "" {
		// localpg reads only the variable, so the flag sets it.
		if err := os.Setenv("DATABASE_URL", s.DatabaseURL); err != nil {
			return err
		}
	}
	options := demo.Options{
		Story:   s.Stdout,
		Command: os.Args[0],
		Logger:  slog.New(slog.NewTextHandler(s.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	stay := !c.Once && !c.JSON && isTerminal(s.Stdout)
	if stay {
		options.Pause = 10 * time.Second
	}
	if c.JSON {
		options.Story = io.Discard
	}
	stage, err := demo.Open(ctx, options)
	if err != nil {
		return sayMissing(ctx, s, err)
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	report, err := stage.Tell(ctx)
	if c.JSON && ctx.Err() == nil {
		err = errors.Join(cli.SayJSON(s.Stdout, report), err)
	}
	if err != nil {
		return sayMissing(ctx, s, err)
	}
	if stay {
		return stage.Stay(ctx)
	}
	if !c.JSON {
		cli.Say(
			s.Stdout,
			"\n%s",
			colour.Quiet.Render("The shop and the link end here. On a terminal without --once, both stay until Ctrl-C."),
		)
	}
	return nil
}

// sayMissing prints a line for each step that did not happen.
func sayMissing(ctx context.Context, s *cli.Session, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before the story ended")
	}
	var missing *demo.MissingError
	if !errors.As(err, &missing) {
		return err
	}
	for _, step := range missing.Steps {
		_, _ = fmt.Fprintln(s.Stderr, "did not happen:", cli.Printable(step))
	}
	return cli.ErrFound
}

// isTerminal reports whether w is a terminal. The null device is a character
// device too, so it is excluded.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	to, err := f.Stat()
	if err != nil || to.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(to, null)
}
