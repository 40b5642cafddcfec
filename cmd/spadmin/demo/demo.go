// Package demo shows in half a minute what SendPromptly does. A small shop runs
// on loopback with its own database. It loses six effects to six real faults,
// while every provider's log shows a success. Each effect is then repaired exactly
// once.
//
//	stage, err := demo.Open(ctx, demo.Options{Story: os.Stdout})
//	…
//	defer stage.Close()
//	report, err := stage.Tell(ctx)
//
// The shop itself is in package shop. It is written as an integrator would write it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Options configure the demo. The zero value writes no story.
type Options struct {
	// Story receives the story, in colour if it is a terminal. Default: nowhere.
	Story io.Writer
	// Logger is the logger of the engines and the shop. Default: none.
	Logger *slog.Logger
	// Command is the spadmin command in the hints. Default: spadmin.
	Command string
	// Pause is the time before the story begins, to open the console. Default: none.
	Pause time.Duration

	// wrap lets a test break the shop.
	wrap func(http.Handler) http.Handler
}

// pause gives the reader time to open the console.
func (s *Stage) pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	s.tell.line("")
	s.tell.line("Open it and keep it beside this window. The story begins in %d s.", int(d.Seconds()))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// limit bounds the story, which takes less than half of that.
const limit = 50 * time.Second

var errLimit = errors.New("the story took longer than " + limit.String())

// MissingError lists the steps of the story that did not happen.
type MissingError struct {
	// Steps are sentences, in the order of the story.
	Steps []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%d steps of the demo did not happen, the first: %s", len(e.Steps), e.Steps[0])
}

// Tell plays the story once. A step that does not happen ends its scene, but not
// the story. Tell returns all such steps in a [*MissingError], and a report of the
// rest. If ctx ends, Tell returns its error.
func (s *Stage) Tell(ctx context.Context) (Report, error) {
	told, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	s.tell.lost = cancel
	var missing []string
	step := func(name string, failures ...error) {
		for _, err := range failures {
			if err != nil {
				missing = append(missing, name+": "+err.Error())
			}
		}
	}
	step("a good day", s.goodDay(told))
	scenes := newScenes(s)
	for i, scene := range scenes {
		step(scene.title, scene.play(told, i+1, len(scenes)))
	}
	report, failures := s.finale(told, scenes)
	step("the end", failures...)
	switch {
	case ctx.Err() != nil:
		return report, ctx.Err()
	case s.tell.err != nil:
		return report, fmt.Errorf("cannot write the story: %w", s.tell.err)
	case len(missing) > 0:
		return report, &MissingError{missing}
	}
	return report, nil
}

const (
	// patience bounds the wait for one step.
	patience = 12 * time.Second
	glance   = 20 * time.Millisecond
)

var errPatience = errors.New("did not happen within " + patience.String())

// reached returns an error if the story has ended before this part.
func reached(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not reached: %w", context.Cause(ctx))
	}
	return nil
}

// until polls until look reports success or an error.
func until(ctx context.Context, look func(context.Context) (seen bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		seen, err := look(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if seen || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
