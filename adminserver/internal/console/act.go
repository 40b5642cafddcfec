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

// action is an action that a form on an incident's page requests.
type action struct {
	// name is the action's name in the path and the form's id; done is the notice afterwards.
	name, done string
	do         func(v *visit, id engine.IncidentID, seen engine.ActionOption) error
}

var forms = []action{
	{
		actions.Reprocess,
		"Reprocess requested. Sending the callback now.",
		func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
			_, err := v.engine.Reprocess(v.ctx(), id, v.who.Actor(), seen)
			return err
		},
	},
	{
		actions.Stop,
		"Attempt stopped. Its remaining callbacks are cancelled.",
		func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
			_, err := v.engine.Stop(v.ctx(), id, v.who.Actor(), seen)
			return err
		},
	},
	{actions.TryNow, "Sending the next callback now.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.TryNow(v.ctx(), id, v.who.Actor(), seen)
	}},
	{actions.Close, "Incident closed.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.CloseIncident(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
	}},
	{
		actions.Reopen,
		"Incident reopened. Alerts are sent as for a new incident.",
		func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
			_, err := v.engine.Reopen(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
			return err
		},
	},
	{actions.Note, "Note added to the timeline.", func(v *visit, id engine.IncidentID, seen engine.ActionOption) error {
		return v.engine.Note(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"), seen)
	}},
}

// act makes the handler of an action. It performs the action and redirects to the incident. If it is refused,
// it shows the current page with the typed text.
func (c *console) act(a action) handle {
	return func(v *visit) error {
		incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
		if err != nil {
			return err
		}
		revision, err := strconv.Atoi(v.r.PostFormValue("revision"))
		if err != nil {
			return web.New(http.StatusUnprocessableEntity, "the form does not contain the incident's revision: reload the page")
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

// refusal says why nothing was done, if the page can be shown again. seen is the state that the form was made
// in.
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
			"Nothing was done: the incident was %s when you loaded the page and is %s now. The timeline shows what changed; "+
				"your text is still here.",
			wire.StateName(engine.State(seen)),
			wire.StateName(refused.State),
		)
	case errors.As(err, &refused) && refused.Changed:
		problem.Detail = "Nothing was done: the incident has changed since you loaded the page. The timeline shows what " +
			"changed; your text is still here."
	case errors.As(err, &refused):
		problem.Detail = "Nothing was done: " + refused.Reason + "."
	default:
		return problem, false
	}
	return problem, true
}

// knownState prevents a form from putting its own words into our sentence.
func knownState(s string) bool {
	state := engine.State(s)
	return state.Open() || state == engine.StateApplied || state == engine.StateClosed
}

// notices are what a page says after an action. They are fixed sentences, so that a link cannot show text of
// its own.
var notices = func() map[string]string {
	said := map[string]string{
		"view":             "View saved.",
		"view-deleted":     "View removed.",
		"plan-started":     "Plan started.",
		"plan-stopped":     "Plan stopped. Incidents that it had not reached are unchanged.",
		"project":          "Settings saved.",
		"operator":         "Role changed.",
		"operator-removed": "Operator removed. Their sessions have ended.",
		"proof-revoked":    "Proof link revoked. It no longer opens.",
		"key-revoked":      "API key revoked. Requests with it are refused.",
		"token-revoked":    "Token revoked. Requests with it are refused.",
		"alert":            "Alert destination saved.",
		"alert-removed":    "Alert destination removed.",
	}
	for _, a := range forms {
		said[a.name] = a.done
	}
	return said
}()
