package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// action is what a form of an incident's page asks for.
type action struct {
	// name is the action's, in the path and as the form's id; done is what the page says afterwards.
	name, done string
	do         func(v *visit, id engine.IncidentID, seen engine.ActionOption) error
}

var forms = []action{
	{
		actions.Reprocess,
		"Reprocess is asked for. The callback goes out at once.",
		func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
			_, err := v.engine.Reprocess(v.ctx(), id, v.who.Actor(), seen)
			return err
		},
	},
	{actions.Stop, "The attempt is stopped.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		_, err := v.engine.Stop(v.ctx(), id, v.who.Actor(), seen)
		return err
	}},
	{actions.TryNow, "The next callback goes out at once.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.TryNow(v.ctx(), id, v.who.Actor(), seen)
	}},
	{actions.Close, "The incident is closed.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.CloseIncident(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
	}},
	{actions.Reopen, "The incident is open again.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		_, err := v.engine.Reopen(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
		return err
	}},
	{actions.Note, "The note is on the timeline.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.Note(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
	}},
}

// act makes the handler of an action. It does what the form asks and goes back
// to the incident; where it is refused, the page comes back as it is now, with
// what was typed.
func (c *console) act(a action) handle {
	return func(v *visit) error {
		incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
		if err != nil {
			return err
		}
		revision, err := strconv.Atoi(v.r.PostFormValue("revision"))
		if err != nil {
			return web.New(http.StatusUnprocessableEntity, "the form does not say which revision it was made of: load the page again")
		}
		err = a.do(v, incident.ID, engine.IfRevision(revision))
		if err == nil {
			v.redirect("/incidents/"+string(incident.ID), a.name, "")
			return nil
		}
		problem, ok := refusal(err, v.r.PostFormValue("state"))
		if !ok {
			return err
		}
		if incident, err = v.engine.Incident(v.ctx(), incident.ID); err != nil {
			return err
		}
		return v.showIncident(problem.Status, incident, incidentPage{Typed: v.r.PostFormValue("note"), Form: a.name}, problem.Detail)
	}
}

// refusal puts into words why nothing was done, where the page can be shown
// again. seen is the state that the form was made in.
func refusal(err error, seen string) (*web.Problem, bool) {
	var (
		field   *engine.FieldError
		refused *engine.RefusedError
	)
	problem := web.Describe(err)
	switch {
	case errors.As(err, &field):
		problem.Detail = "Nothing was done: the " + field.Field + " " + field.Reason + "."
	case errors.As(err, &refused) && refused.Changed && knownState(seen) && string(refused.State) != seen:
		problem.Detail = fmt.Sprintf(
			"Nothing was done: it was %s when you looked, and is %s now. The timeline says what happened meanwhile; "+
				"what you typed is still here.",
			wire.StateName(engine.State(seen)),
			wire.StateName(refused.State),
		)
	case errors.As(err, &refused) && refused.Changed:
		problem.Detail = "Nothing was done: it changed after you looked. The timeline says what happened meanwhile; what you typed is still here."
	case errors.As(err, &refused):
		problem.Detail = "Nothing was done: " + refused.Reason + "."
	default:
		return problem, false
	}
	return problem, true
}

// knownState keeps a form from putting its own words into our sentence.
func knownState(s string) bool {
	state := engine.State(s)
	return state.Open() || state == engine.StateApplied || state == engine.StateClosed
}

// notices are what a page says after a form was acted on: fixed sentences, so
// that a link cannot put words into our mouth.
var notices = func() map[string]string {
	said := map[string]string{
		"view":             "The view is saved.",
		"view-deleted":     "The view is gone.",
		"plan-started":     "The plan is started.",
		"plan-stopped":     "The plan is stopped. What it had not reached stays as it is.",
		"project":          "The settings are saved.",
		"operator":         "The operator’s role is changed.",
		"operator-removed": "The operator is gone.",
		"proof-revoked":    "The proof link is dead.",
		"key-revoked":      "The key is revoked.",
		"token-revoked":    "The token is revoked.",
		"alert":            "The destination is saved.",
		"alert-removed":    "The destination is gone.",
	}
	for _, a := range forms {
		said[a.name] = a.done
	}
	return said
}()
