package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/input"
)

const (
	maxBody = 64 << 10
	// maxDetails and maxText bound an answer to a wrong request.
	maxDetails = 10
	maxText    = 120
)

// failure is a problem as huma writes one.
type failure struct{ *web.Problem }

// GetStatus implements [huma.StatusError].
func (f failure) GetStatus() int { return f.Status }

// ContentType implements [huma.ContentTypeFilter].
func (f failure) ContentType(string) string { return "application/problem+json" }

// say turns an error into a problem, and logs the details that a caller may not see.
func (r *room) say(ctx context.Context, err error) error {
	p := web.Describe(err)
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil {
		r.Logger.ErrorContext(ctx, "sendpromptly: a request of the admin API failed", "request_id", web.RequestID(ctx), "error", err)
	}
	return failure{p}
}

// humble is a transformer. huma's own errors repeat the whole wrong value, once per error. Ours name the
// place and the reason, for at most ten errors.
func humble(_ huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := web.New(theirs.Status, "")
	if p.Status == http.StatusUnprocessableEntity {
		p.Title, p.Detail = "Not valid", "the request does not match the specification"
	}
	for _, e := range theirs.Errors[:min(len(theirs.Errors), maxDetails)] {
		if e != nil {
			p.Errors = append(p.Errors, web.ProblemDetail{Location: input.Clip(e.Location, maxText), Message: message(e.Message)})
		}
	}
	return p, nil
}

// message is huma's message, unless it comes from a decoder, which quotes the input.
func message(m string) string {
	if strings.ContainsAny(m, "\"`\n") || strings.Contains(m, "json:") || strings.Contains(m, "invalid character") {
		return "is not valid"
	}
	return input.Clip(m, maxText)
}

// marshal writes every answer.
func marshal(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// unmarshal reads a body that strict has accepted.
func unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return errors.New("is not valid")
	}
	return nil
}

// problems are the error answers of an operation, for the spec.
func problems(registry huma.Registry, op operation) map[string]*huma.Response {
	schema := registry.Schema(typeOf[web.Problem](), true, "Problem")
	statuses := append(
		[]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError},
		op.errors...)
	responses := map[string]*huma.Response{}
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return responses
}
