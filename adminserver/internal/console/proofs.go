package console

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/qr"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// issued is a proof as an incident's page shows it.
type issued struct {
	evidence.Proof
	Live bool
}

// proofsOf reads the newest proofs of an incident.
func (v *visit) proofsOf(id engine.IncidentID) ([]issued, error) {
	found, err := v.Evidence.Proofs.List(v.ctx(), evidence.ProofFilter{Project: v.project, Incident: id, Limit: 20})
	if err != nil || len(found.Proofs) == 0 {
		return nil, err
	}
	now, err := v.Checks.Now(v.ctx())
	if err != nil {
		return nil, err
	}
	list := make([]issued, len(found.Proofs))
	for i, p := range found.Proofs {
		list[i] = issued{p, p.Live(now)}
	}
	return list, nil
}

// share issues a proof and shows its link, which is not stored.
func (c *console) share(v *visit) error {
	incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	audience := strings.TrimSpace(v.r.PostFormValue("audience"))
	refuse := func(problem string) error {
		return v.showIncident(http.StatusUnprocessableEntity, incident, incidentPage{Form: "proof", Typed: audience}, problem)
	}
	days, err := strconv.Atoi(v.r.PostFormValue("days"))
	if err != nil || days < 1 || days > 90 {
		return refuse("Nothing was shared: days must be a number from 1 to 90.")
	}
	_, link, err := v.IssueProof(v.ctx(), evidence.ProofRequest{
		Incident: incident.ID, Project: v.project, For: time.Duration(days) * 24 * time.Hour,
		Audience: audience, By: v.who.Actor(),
	})
	if errors.Is(err, proofs.ErrNoKey) {
		return refuse("Nothing was shared: the server has no key to sign with. Create one with spadmin proof keys new.")
	}
	if problem, ok := fieldProblem(err); ok {
		return refuse(problem)
	}
	if err != nil {
		return err
	}
	picture, err := qr.SVG(link, "The link as a QR code")
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "Proof link", Secret: link, Picture: template.HTML(picture), Back: v.link("/incidents/" + string(incident.ID)),
		What: "Anyone who has the link can read this effect’s timeline for " + strconv.Itoa(days) + " days, and nothing else.",
	})
}

// revokeProof revokes a proof of this incident.
func (c *console) revokeProof(v *visit) error {
	incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	proof, err := v.Evidence.Proofs.Get(v.ctx(), v.r.PathValue("jti"))
	if err != nil {
		return notFoundID(err)
	}
	if proof.Incident != incident.ID {
		return engine.ErrNotFound
	}
	if _, err := v.Evidence.Proofs.Revoke(v.ctx(), proof.JTI, v.who.Actor()); err != nil {
		return err
	}
	v.redirect("/incidents/"+string(incident.ID), "proof-revoked", "")
	return nil
}
