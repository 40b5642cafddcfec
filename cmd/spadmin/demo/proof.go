package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// showProof issues a proof link for the customer of one scene, opens it without a
// login, and verifies it with the public keys only.
func (s *Stage) showProof(ctx context.Context, scenes []*scene, report *Report) error {
	var of *scene
	for _, sc := range scenes {
		if sc.key().Effect == "credit_grant" && sc.incident.ID != "" {
			of = sc
		}
	}
	if of == nil {
		return errors.New("there is no incident to prove")
	}
	_, link, err := s.admin.IssueProof(ctx, adminserver.ProofRequest{Incident: of.incident.ID, Audience: of.customer, By: ada})
	if err != nil {
		return err
	}
	s.tell.line("")
	s.tell.line(
		"%s  %s",
		colour.Strong.Render(of.customer+" asks what happened to the payment."),
		colour.Quiet.Render("ada@example.com sends a read-only link, without login, names or error texts."),
	)
	bundle, err := checkOffline(ctx, s.AdminURL, link, of.incident.ID)
	if err != nil {
		return fmt.Errorf("the proof of %s's incident: %w", of.customer, err)
	}
	report.ProofURL, report.Proof.Valid = link, true
	s.tell.voice(
		"the customer",
		"%s verified the signature and %d sealed entries offline, with the public key only",
		colour.Good.Render("✓"),
		len(bundle.Entries),
	)
	s.tell.line("")
	s.tell.line("%s", colour.Named.Render(link))
	return nil
}

// checkOffline fetches the bundle behind the link and the public keys, and verifies
// the bundle with the keys.
func checkOffline(ctx context.Context, issuer, link string, incident engine.IncidentID) (proofs.Bundle, error) {
	if _, err := fetch(ctx, link); err != nil {
		return proofs.Bundle{}, err
	}
	bundle, err := fetch(ctx, link+"/proof.json")
	if err != nil {
		return proofs.Bundle{}, err
	}
	published, err := fetch(ctx, issuer+"/.well-known/jwks.json")
	if err != nil {
		return proofs.Bundle{}, err
	}
	keys, err := proofs.ParseKeys(published)
	if err != nil {
		return proofs.Bundle{}, err
	}
	_, checked, err := proofs.NewVerifier(keys, issuer).For(string(incident)).VerifyBundle(bundle, time.Now())
	return checked, err
}

// fetch reads one page.
func fetch(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r) // our own server, on loopback
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, 1<<20))
}
