package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// ActionInput is an action on an incident.
type ActionInput struct {
	IncidentPath
	OnceHeader
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The incident's ETag, or * to skip the check. With another revision nothing is done: the 409 contains the current state."`
}

// Note is an operator's text.
type Note struct {
	Note string `json:"note" minLength:"1" maxLength:"2000"`
}

type notedInput struct {
	ActionInput
	Body Note
}

// revision reads If-Match. Actions that change the state require it: the caller must have read the incident.
// nil means any revision.
func (in ActionInput) revision(required bool) (*int, error) {
	switch {
	case in.IfMatch == "" && required:
		return nil, web.New(
			http.StatusPreconditionRequired,
			"If-Match is required: send the incident's ETag, or * to skip the check",
		)
	case in.IfMatch == "" || in.IfMatch == "*":
		return nil, nil //nolint:nilnil // any revision is not an error
	}
	text, quoted := strings.CutPrefix(in.IfMatch, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	n, err := strconv.Atoi(text)
	if err != nil || !quoted || !closed || n < 1 || etag(n) != in.IfMatch {
		return nil, web.New(http.StatusUnprocessableEntity, "If-Match must be the incident's ETag in quotes, or *")
	}
	return &n, nil
}

// act performs one action on an incident and stores its answer in the same transaction.
func (r *room) act(ctx context.Context, in ActionInput, action, note string, needsMatch bool) (*done[wire.Acted], error) {
	revision, err := in.revision(needsMatch)
	if err != nil {
		return nil, err
	}
	project, e, err := r.incidentIn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	before, err := e.Incident(ctx, engine.IncidentID(in.ID))
	if err != nil {
		return nil, err
	}
	request := actions.Request{
		Action: action, Incident: in.ID, By: string(identity.From(ctx).Actor()), Note: note, Revision: revision,
	}
	out, err := once(ctx, r, in.Key, project, action, request, func(tx pgx.Tx) (wire.Acted, error) {
		done, err := actions.Do(ctx, tx, project, request)
		state, resolution := wire.StateAfter(before, engine.State(done.State))
		return wire.Acted{
			ID:          in.ID,
			State:       state,
			Resolution:  resolution,
			Revision:    done.Revision,
			Attempt:     done.Attempt,
			ReplayID:    done.ReplayID,
			RequestedAt: attempted(done, done.RequestedAt),
			DueAt:       attempted(done, done.DueAt),
		}, err
	})
	out.ETag = etag(out.Body.Revision)
	return &out, err
}

// attempted is a time of the new attempt, nil if there is none.
func attempted(d actions.Result, t time.Time) *time.Time {
	if d.ReplayID == "" {
		return nil
	}
	return wire.At(t)
}

func addActions(r *room) {
	line := func(action, title, text string, more ...int) operation {
		return operation{
			method: http.MethodPost,
			path:   "/incidents/{id}/" + action,
			id:     "incidents-" + action,
			tag:    "Incidents",
			role:   identity.Operator,
			title:  title,
			text:   text,
			errors: append([]int{http.StatusNotFound, http.StatusConflict}, more...),
		}
	}
	plain := func(action, title, text string) {
		add(
			r,
			line(action, title, text, http.StatusPreconditionRequired),
			func(ctx context.Context, in *ActionInput) (*done[wire.Acted], error) {
				return r.act(ctx, *in, action, "", true)
			},
		)
	}
	noted := func(action, title, text string, needsMatch bool, more ...int) {
		more = append([]int{http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge}, more...)
		add(r, line(action, title, text, more...), func(ctx context.Context, in *notedInput) (*done[wire.Acted], error) {
			return r.act(ctx, in.ActionInput, action, in.Body.Note, needsMatch)
		})
	}
	plain(
		actions.Reprocess,
		"Request a repair from the app",
		"A signed callback goes to the project's repair URL. Refused while an attempt is in flight, and when the effect "+
			"is applied. A closed incident reopens. Requires If-Match.",
	)
	plain(
		actions.Stop,
		"End the attempt in flight",
		"Its remaining callbacks are cancelled and the incident becomes failed. If no attempt is in flight, only the "+
			"timeline entry is written. Requires If-Match.",
	)
	plain(
		actions.TryNow,
		"Send the next callback now",
		"Sends the callback before its scheduled time. Refused without an attempt, while a callback is being sent, and "+
			"after the app accepted one. Requires If-Match.",
	)
	noted(actions.Close, "Close an incident without an outcome",
		"The note gives the reason. Refused while an attempt is in flight. Requires If-Match.", true, http.StatusPreconditionRequired)
	noted(actions.Reopen, "Reopen a closed incident",
		"Its state is failed or missing again, as its cause says, and it is alerted again. The note gives the reason. "+
			"Requires If-Match.",
		true, http.StatusPreconditionRequired)
	noted(actions.Note, "Add a note to the timeline", "The state does not change. If-Match is checked if it is sent.", false)
}
