package console

import (
	"net/http"
	"strings"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// effectsPage answers "did it arrive?".
type effectsPage struct {
	Q       string
	Answers []answer
	Older   string
	// Moments are the timeline if there is exactly one answer.
	Moments []moment
	More    bool
	// Again are the newest receipts that came again with other facts, on the page without a search.
	Again []incidents.AcceptedAgain
	// Elsewhere are other projects that know the id; they are searched only if this one does not know it.
	Elsewhere []tab
}

// answer is one matching effect.
type answer struct {
	incidents.Effect
	Story   story
	Verdict string
}

func newAnswer(e incidents.Effect) answer {
	return answer{e, tell(e.Acceptance, e.State, engine.Cause(e.State), ""), arrived(e.State)}
}

// answersShown is the number of answers per page. againShown bounds the list of what was accepted again.
const (
	answersShown = 20
	againShown   = 20
)

// effects looks up effects by any id.
func (c *console) effects(v *visit) error {
	q := v.r.URL.Query()
	data := effectsPage{Q: strings.TrimSpace(q.Get("q"))}
	if data.Q != "" || q.Get("before") != "" {
		found, err := v.Incidents.Effects.List(
			v.ctx(),
			incidents.EffectFilter{Project: v.project, Term: data.Q, Before: engine.EffectID(q.Get("before")), Limit: answersShown},
		)
		if err != nil {
			return err
		}
		for _, e := range found.Effects {
			data.Answers = append(data.Answers, newAnswer(e))
		}
		if found.Next != "" {
			data.Older = v.link("/effects", "q", data.Q, "before", string(found.Next))
		}
		if len(data.Answers) == 0 {
			if data.Elsewhere, err = v.elsewhere(data.Q); err != nil {
				return err
			}
		}
		if len(data.Answers) == 1 {
			if data.Moments, data.More, err = v.moments(data.Answers[0].ID); err != nil {
				return err
			}
		}
	} else {
		var err error
		if data.Again, err = v.Incidents.Effects.AcceptedAgain(v.ctx(), v.project, againShown); err != nil {
			return err
		}
	}
	return v.render(http.StatusOK, "effects", page{Title: "Effects", Nav: "Effects", Data: data})
}

// elsewhere looks an id up in the visitor's other projects.
func (v *visit) elsewhere(q string) (known []tab, err error) {
	for _, name := range v.projects[:min(len(v.projects), projectsAsked)] {
		if name == v.project || q == "" {
			continue
		}
		found, err := v.Incidents.Effects.List(v.ctx(), incidents.EffectFilter{Project: name, Term: q, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(found.Effects) > 0 {
			known = append(known, tab{Name: name, Link: v.link("/effects", "project", name, "q", q)})
		}
	}
	return known, nil
}

// effectPage is one effect, whether or not it has an incident.
type effectPage struct {
	answer
	Moments []moment
	More    bool
	Related []incidents.RelatedEffect
}

func (c *console) effect(v *visit) error {
	effect, err := v.Incidents.Effects.Get(v.ctx(), v.project, engine.EffectID(v.r.PathValue("id")))
	if err != nil {
		return notFoundID(err)
	}
	data := effectPage{answer: newAnswer(effect)}
	if data.Moments, data.More, err = v.moments(effect.ID); err != nil {
		return err
	}
	if data.Related, err = v.Incidents.Effects.Related(v.ctx(), v.project, effect.ID); err != nil {
		return err
	}
	return v.render(
		http.StatusOK,
		"effect",
		page{Title: strings.TrimSpace(data.Story.Who + " " + effect.Acceptance.Effect), Nav: "Effects", Live: true, Data: data},
	)
}

func (v *visit) moments(id engine.EffectID) ([]moment, bool, error) {
	entries, more, err := v.timeline(id)
	return draw(entries), more, err
}
