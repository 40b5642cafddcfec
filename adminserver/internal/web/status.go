package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Problem is an error as callers see it, in the form of RFC 9457. It never repeats what was sent.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	// Field is the input that is wrong.
	Field string `json:"field,omitempty"`
	// State is the incident's state, if that does not allow the request.
	State string `json:"state,omitempty"`
	// Revision is the incident's current revision, if it is not the expected one.
	Revision int `json:"revision,omitempty"`
	// Errors are what is wrong with the request, at most 10.
	Errors []ProblemDetail `json:"errors,omitempty"`
}

// ProblemDetail is one thing that is wrong with a request.
type ProblemDetail struct {
	// Location is where, as in body.note or query.limit.
	Location string `json:"location,omitempty"`
	Message  string `json:"message"`
}

func (p *Problem) Error() string { return p.Title }

// Describe is the one place that maps an error to a status and a text. An unknown error is a 500 without
// details; the caller logs it.
func Describe(err error) *Problem {
	var (
		problem *Problem
		field   *engine.FieldError
		refused *engine.RefusedError
		invalid *actions.InvalidError
		turned  *actions.RefusedError
		tooBig  *http.MaxBytesError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, engine.ErrNotFound):
		return New(http.StatusNotFound, "")
	case errors.As(err, &field):
		return &Problem{
			Status: http.StatusUnprocessableEntity,
			Title:  "Not valid",
			Detail: field.Field + " " + field.Reason,
			Field:  field.Field,
		}
	case errors.As(err, &invalid):
		return &Problem{Status: http.StatusUnprocessableEntity, Title: "Not valid", Detail: invalid.Error(), Field: invalid.Field}
	case errors.As(err, &refused):
		return refusal(refused.Reason, refused.State, refused.Changed, refused.Revision)
	case errors.As(err, &turned):
		return refusal(turned.Reason, engine.State(turned.State), turned.Changed, turned.Revision)
	case errors.Is(err, incidents.ErrPlanBegun):
		return refusal(err.Error(), "", false, 0)
	case errors.Is(err, access.ErrIdempotencyConflict), errors.Is(err, access.ErrIdempotencyBusy):
		return New(http.StatusConflict, err.Error())
	case errors.As(err, &tooBig):
		return New(http.StatusRequestEntityTooLarge, "")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return New(http.StatusServiceUnavailable, "the request took too long: try again")
	}
	return New(http.StatusInternalServerError, "")
}

func refusal(reason string, state engine.State, changed bool, revision int) *Problem {
	title := "Refused"
	if changed {
		title = "Changed"
	}
	return &Problem{Status: http.StatusConflict, Title: title, Detail: reason, State: wire.StateName(state), Revision: revision}
}

// New makes a problem of a status, with a sentence that says more or "".
func New(status int, detail string) *Problem {
	return &Problem{Status: status, Title: Sentence(strings.ToLower(http.StatusText(status))), Detail: detail}
}

// Sentence begins a text with a capital letter.
func Sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}
