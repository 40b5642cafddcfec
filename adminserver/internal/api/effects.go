package api

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// EffectPage is one page of effects, newest first.
type EffectPage struct {
	Effects    []wire.Effect `json:"effects"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Absent on the last page."`
}

// RelatedEffect is an effect with the same event, reference or customer as another one.
type RelatedEffect struct {
	wire.Effect
	SameEvent     bool `json:"same_event"`
	SameReference bool `json:"same_reference"`
	SameCustomer  bool `json:"same_customer"`
	Later         bool `json:"later" doc:"It was accepted after the other effect. A later applied effect of the same reference may conflict with a repair."`
}

// RelatedEffects are the newest of them, newest first.
type RelatedEffects struct {
	Effects []RelatedEffect `json:"effects"`
}

type effectPath struct {
	ID string `path:"id" maxLength:"36" doc:"The effect."`
}

type effectsInput struct {
	InProject
	Q      string `query:"q" maxLength:"255" doc:"Any id: reference, customer, source event or one of the provider's object ids, in upper or lower case; provider_event_id; or the id of an effect, incident or attempt."`
	Cursor string `query:"cursor" maxLength:"36" doc:"next_cursor of the previous page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// effectIn is the project of the effect in a path.
func (r *room) effectIn(ctx context.Context, id string) (string, error) {
	name, err := r.Incidents.ProjectOfEffect(ctx, engine.EffectID(id))
	return located(ctx, name, err)
}

func addEffects(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/effects",
		id:     "effects-list",
		tag:    "Effects",
		role:   identity.Viewer,
		title:  "Find effects by any id, newest first",
		text:   "Answers whether an effect is applied, with or without an incident.",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *effectsInput) (*reply[EffectPage], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		page, err := r.Incidents.Effects.List(
			ctx,
			incidents.EffectFilter{Project: project, Term: in.Q, Before: engine.EffectID(in.Cursor), Limit: in.Limit},
		)
		made := wire.List(page.Effects, func(e incidents.Effect) wire.Effect { return wire.NewEffect(project, e) })
		return &reply[EffectPage]{EffectPage{made, string(page.Next)}}, err
	})
	line.path, line.id, line.title, line.text = "/effects/{id}", "effects-get", "Read an effect", ""
	add(r, line, func(ctx context.Context, in *effectPath) (*reply[wire.Effect], error) {
		project, err := r.effectIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		e, err := r.Incidents.Effects.Get(ctx, project, engine.EffectID(in.ID))
		return &reply[wire.Effect]{wire.NewEffect(project, e)}, err
	})
	line.path, line.id, line.title = "/effects/{id}/related", "effects-related",
		"Read effects of the same event, reference or customer"
	add(r, line, func(ctx context.Context, in *effectPath) (*reply[RelatedEffects], error) {
		project, err := r.effectIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		related, err := r.Incidents.Effects.Related(ctx, project, engine.EffectID(in.ID))
		return &reply[RelatedEffects]{RelatedEffects{wire.List(related, func(e incidents.RelatedEffect) RelatedEffect {
			return RelatedEffect{wire.NewEffect(project, e.Effect), e.SameEvent, e.SameSubject, e.SameCustomer, e.Later}
		})}}, err
	})
}
