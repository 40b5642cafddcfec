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

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo"
)

type demoCommand struct {
	Once bool `help:"End by itself after the story, also on a terminal."`
	JSON bool `help:"Print one JSON object, and nothing else, on standard output. Implies --once."`
}

// Run tells the story. It gives exit code 1, with a line for each step that was
// not seen, unless every step was.
func (c demoCommand) Run(s *session) (err error) {
	// A closed terminal and a closed pipe must not keep us from dropping the database.
	ctx, stop := signal.NotifyContext(s.ctx, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	if s.databaseURL != "" {
		// The flag stands for the variable, which is what finds the server.
		if err := os.Setenv("DATABASE_URL", s.databaseURL); err != nil {
			return err
		}
	}
	options := demo.Options{
		Story:   s.stdout,
		Command: os.Args[0],
		Logger:  slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	stay := !c.Once && !c.JSON && isTerminal(s.stdout)
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
		err = errors.Join(sayJSON(s.stdout, report), err)
	}
	if err != nil {
		return sayMissing(ctx, s, err)
	}
	if stay {
		return stage.Stay(ctx)
	}
	if !c.JSON {
		say(
			s.stdout,
			"\n%s",
			colour.Quiet.Render("The shop ends here, and the link with it. On a terminal, without --once, both stay until Ctrl-C."),
		)
	}
	return nil
}

// sayMissing prints a line for each step that was not seen.
func sayMissing(ctx context.Context, s *session, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before the end of the story")
	}
	var missing *demo.MissingError
	if !errors.As(err, &missing) {
		return err
	}
	for _, step := range missing.Steps {
		_, _ = fmt.Fprintln(s.stderr, "not seen:", printable(step))
	}
	return errFound
}

// isTerminal says whether somebody watches. The only other character device
// that output goes to is the one that swallows it.
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
