package caught

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	t.Parallel()
	var nothing map[string]int
	err := Call(func() error { nothing["x"] = 1; return nil })
	if !Is(err) || err.Error() != "panic: assignment to entry in nil map" {
		t.Fatalf("%v", err)
	}
	var panicked *Error
	if !errors.As(errors.Join(io.EOF, err), &panicked) || !strings.Contains(panicked.Stack, "TestAPanicIsAnErrorWithItsStack") {
		t.Errorf("%v", panicked)
	}
	if err := Call(func() error { panic(io.ErrUnexpectedEOF) }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if err := Call(func() error { return io.EOF }); !errors.Is(err, io.EOF) || Is(err) {
		t.Errorf("%v", err)
	}
	late := func() (err error) {
		defer Panic(&err)
		err = io.EOF
		panic("boom")
	}
	if err := late(); !errors.Is(err, io.EOF) || !Is(err) {
		t.Errorf("what had gone wrong before is lost: %v", err)
	}
	if err := Call(func() error { return nil }); err != nil {
		t.Errorf("%v", err)
	}
}

func TestTheLogHoldsTheStackApart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, nil))
	Log(t.Context(), logger, slog.LevelWarn, "it broke", Call(func() error { panic("boom") }), "step", "seal")
	for _, want := range []string{
		"level=WARN", `msg="it broke"`, "step=seal", `error="panic: boom"`, "stack=",
		"TestTheLogHoldsTheStackApart",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	out.Reset()
	Log(
		t.Context(),
		logger,
		slog.LevelError,
		"it broke",
		errors.Join(Call(firstToPanic), fmt.Errorf("later: %w", Call(secondToPanic))),
	)
	for _, want := range []string{"firstToPanic", "secondToPanic"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no stack of %s in %s", want, out.String())
		}
	}
	out.Reset()
	Log(t.Context(), logger, slog.LevelError, "it broke", io.EOF)
	if strings.Contains(out.String(), "stack=") {
		t.Errorf("a stack of what was no panic: %s", out.String())
	}
}

func firstToPanic() error { panic("one") }

func secondToPanic() error { panic("two") }

type brokenHandler struct{ slog.Handler }

func (brokenHandler) Handle(context.Context, slog.Record) error { panic("the disk is gone") }

func TestALoggerThatPanicsIsOutlived(t *testing.T) {
	t.Parallel()
	Log(t.Context(), slog.New(brokenHandler{slog.NewTextHandler(t.Output(), nil)}), slog.LevelError, "shown by a test", io.EOF)
}
