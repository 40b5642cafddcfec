package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/wire"
	proofkeys "github.com/sendpromptly/sendpromptly/proofs"
)

// ProofRequest asks for a proof.
type ProofRequest struct {
	ForSeconds float64 `json:"for_seconds,omitempty" minimum:"60" maximum:"7776000" doc:"How long the proof is valid. Default: 7 days."`
	Audience   string  `json:"audience,omitempty" maxLength:"255" doc:"Who the proof is for. Shown in the list of proofs."`
}

func addProofs(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/proofs",
		id:     "proofs-list",
		tag:    "Proofs",
		role:   identity.Viewer,
		title:  "List issued proofs, newest first",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		Incident string `query:"incident" maxLength:"36"`
		Cursor   string `query:"cursor" maxLength:"36" doc:"next_cursor of the previous page."`
		Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	},
	) (*reply[wire.Proofs], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		page, err := r.Evidence.Proofs.List(
			ctx,
			evidence.ProofFilter{Project: project, Incident: engine.IncidentID(in.Incident), Before: in.Cursor, Limit: in.Limit},
		)
		return &reply[wire.Proofs]{wire.Proofs{Proofs: append([]evidence.Proof{}, page.Proofs...), NextCursor: page.Next}}, err
	})
	changeProofs(r)
}

// changeProofs are the operations that issue and revoke.
func changeProofs(r *room) {
	line := operation{
		method: http.MethodPost,
		path:   "/incidents/{id}/proofs",
		id:     "proofs-create",
		tag:    "Proofs",
		role:   identity.Operator,
		status: http.StatusCreated,
		title:  "Issue a proof link",
		errors: append([]int{http.StatusConflict}, withBody...),
	}
	add(r, line, func(ctx context.Context, in *struct {
		IncidentPath
		Body ProofRequest
	},
	) (*reply[wire.ProofWithLink], error) {
		project, _, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		proof, link, err := r.IssueProof(ctx, evidence.ProofRequest{
			Incident: engine.IncidentID(in.ID), Project: project, Audience: in.Body.Audience,
			For: time.Duration(in.Body.ForSeconds) * time.Second, By: identity.From(ctx).Actor(),
		})
		if errors.Is(err, proofkeys.ErrNoKey) {
			err = web.New(http.StatusConflict, "this server has no key to sign proofs: set a folder of proof keys")
		}
		return &reply[wire.ProofWithLink]{wire.ProofWithLink{Proof: proof, URL: link}}, err
	})
	line = operation{
		method: http.MethodDelete,
		path:   "/proofs/{jti}",
		id:     "proofs-revoke",
		tag:    "Proofs",
		role:   identity.Operator,
		status: http.StatusNoContent,
		title:  "Revoke a proof",
		text:   "The link stops working immediately, for ever.",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		JTI string `path:"jti" maxLength:"36"`
	},
	) (*struct{}, error) {
		proof, err := r.Evidence.Proofs.Get(ctx, in.JTI)
		if _, err := located(ctx, proof.Project, err); err != nil {
			return nil, err
		}
		_, err = r.Evidence.Proofs.Revoke(ctx, in.JTI, identity.From(ctx).Actor())
		return nil, err
	})
}
