package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// planPage is a bulk action over a frozen set of incidents.
type planPage struct {
	incidents.Plan
	// Filter says in words what was selected; Link opens what the filter selects now.
	Filter [][2]string
	Link   string
	// Results are the counts by outcome, in the order of outcomes.
	Results []result
	// Typed is the wrong count that was typed.
	Typed string
}

type result struct {
	Name, Class string
	N           int
}

// outcomes are the results of a plan, with the state that colours each.
var outcomes = [][2]string{
	{"applied", "applied"},
	{"in_flight", "reprocessing"},
	{"waiting", "awaiting"},
	{"failed", "failed"},
	{"missing", "missing"},
	{"gave_up", "failed"},
	{"closed", "closed"},
	{"changed", "closed"},
	{"refused", "missing"},
	{"error", "failed"},
	{"stopped", "closed"},
}

// Started, Running and Done are the plan's progress.
func (p planPage) Started() bool { return !p.StartedAt.IsZero() }

// Running says that incidents are still to be acted on, or attempts in flight.
func (p planPage) Running() bool {
	return p.Started() && p.StoppedBy == "" && (p.FinishedAt.IsZero() || p.Plan.Results["in_flight"] > 0)
}

// Reached counts the incidents with a final result.
func (p planPage) Reached() int {
	return p.Size - p.Plan.Results["waiting"] - p.Plan.Results["in_flight"]
}

// Waiting says that the plan waits for its count to be confirmed.
func (p planPage) Waiting() bool { return !p.Started() && p.StoppedBy == "" && p.FinishedAt.IsZero() }

// plansPage lists the plans.
type plansPage struct{ Plans []planPage }

// filterWords are the fields of a filter in words.
var filterWords = map[string]string{
	"show": "State", "q": "Search", "cause": "Cause", "provider": "Provider", "event_type": "Event type", "effect": "Effect",
	"version": "Version", "customer": "Customer", "reference": "Reference", "from": "Opened from", "to": "Opened until",
}

func newPlanPage(v *visit, p incidents.Plan) planPage {
	f := filterOf(p.Filter)
	page := planPage{Plan: p, Filter: f.Pairs(), Link: v.link("/incidents", f.Values()...)}
	if p.Filter.Open {
		page.Filter = append([][2]string{{"show", "open"}}, page.Filter...)
	}
	for i, pair := range page.Filter {
		if word, ok := filterWords[pair[0]]; ok {
			page.Filter[i][0] = word
		}
	}
	for _, o := range outcomes {
		if n := p.Results[o[0]]; n > 0 {
			page.Results = append(page.Results, result{strings.ReplaceAll(o[0], "_", " "), o[1], n})
		}
	}
	return page
}

func (c *console) plans(v *visit) error {
	plans, err := v.Incidents.Plans.List(v.ctx(), v.project)
	if err != nil {
		return err
	}
	var data plansPage
	for _, p := range plans {
		data.Plans = append(data.Plans, newPlanPage(v, p))
	}
	return v.render(http.StatusOK, "plans", page{Title: "Plans", Nav: "Incidents", Data: data})
}

func (c *console) plan(v *visit) error {
	plan, err := v.Incidents.Plans.Get(v.ctx(), v.project, v.r.PathValue("id"))
	if err != nil {
		return notFoundID(err)
	}
	return v.showPlan(http.StatusOK, plan, "", "")
}

func (v *visit) showPlan(status int, plan incidents.Plan, typed, problem string) error {
	data := newPlanPage(v, plan)
	data.Typed = typed
	p := page{Title: "Plan", Nav: "Incidents", Problem: problem, Live: true, Data: data}
	if data.Running() {
		p.Every = 2
	}
	return v.render(status, "plan", p)
}

// makePlan freezes the set that a filter selects.
func (c *console) makePlan(v *visit) error {
	f, err := readFilter(v.r.PostForm)
	if err != nil {
		return err
	}
	plan, err := v.Incidents.Plans.Create(v.ctx(), v.project, incidents.PlanRequest{
		Action: v.r.PostFormValue("action"), Filter: f.asked(),
		Note: strings.TrimSpace(v.r.PostFormValue("note")),
	}, v.who.Actor())
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, v.link("/plans/"+plan.ID), http.StatusSeeOther)
	return nil
}

// startPlan requires the count of the frozen set as confirmation.
func (c *console) startPlan(v *visit) error {
	id, typed := v.r.PathValue("id"), strings.TrimSpace(v.r.PostFormValue("count"))
	count, err := strconv.Atoi(typed)
	if err != nil {
		err = &engine.FieldError{Field: "count", Reason: "is not a number"}
	} else {
		_, err = v.Incidents.Plans.Start(v.ctx(), v.project, id, count, v.who.Actor())
	}
	if err == nil {
		v.redirect("/plans/"+id, "plan-started", "")
		return nil
	}
	problem := web.Describe(err)
	if problem.Status != http.StatusUnprocessableEntity && problem.Status != http.StatusConflict {
		return notFoundID(err)
	}
	plan, err := v.Incidents.Plans.Get(v.ctx(), v.project, id)
	if err != nil {
		return notFoundID(err)
	}
	return v.showPlan(problem.Status, plan, typed, "Nothing was started: "+problem.Detail+".")
}

func (c *console) stopPlan(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := v.Incidents.Plans.Stop(v.ctx(), v.project, id, v.who.Actor()); err != nil {
		return notFoundID(err)
	}
	v.redirect("/plans/"+id, "plan-stopped", "")
	return nil
}
