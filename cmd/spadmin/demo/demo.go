// Package demo tells, in half a minute, what SendPromptly is for: a small shop
// runs on loopback with a Postgres of its own, loses six effects by six real
// faults while every provider's log shows a success, and gets each of them back
// exactly once.
//
//	stage, err := demo.Open(ctx, demo.Options{Story: os.Stdout})
//	…
//	defer stage.Close()
//	report, err := stage.Tell(ctx)
//
// The shop itself, which is ordinary integrator's code, is in package shop.
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

// Options are how the demo runs. The zero value tells nobody.
type Options struct {
	// Story is where the story goes, in colour where that is a terminal.
	// Default: nowhere.
	Story io.Writer
	// Logger hears what the engines and the shop meet. Default: nobody.
	Logger *slog.Logger
	// Command is how the reader calls spadmin. Default: spadmin.
	Command string
	// Pause leaves the reader time to open the console before the story begins.
	// Default: none.
	Pause time.Duration

	// wrap lets a test break the shop.
	wrap func(http.Handler) http.Handler
}

// pause waits for a reader who opens the console first.
func (s *Stage) pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	s.tell.line("")
	s.tell.line("Open it and keep it beside this window: the story begins in %d s.", int(d.Seconds()))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// limit bounds the story. It takes less than half of that.
const limit = 50 * time.Second

var errLimit = errors.New("the story took longer than " + limit.String())

// MissingError lists the steps of the story that were not seen.
type MissingError struct {
	// Steps are sentences, in the order of the story.
	Steps []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%d steps of the demo were not seen, the first: %s", len(e.Steps), e.Steps[0])
}

// Tell plays the story once. A step that is not seen ends its scene and not the
// story; all of them come back in a [*MissingError], beside the report of what
// was seen. Where ctx ends, its error comes back.
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
		return report, fmt.Errorf("the story could not be told: %w", s.tell.err)
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

var errPatience = errors.New("not seen within " + patience.String())

// reached says why a part of the story is not begun any more, or nil.
func reached(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not reached: %w", context.Cause(ctx))
	}
	return nil
}

// until looks again and again until it sees what it waits for.
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
