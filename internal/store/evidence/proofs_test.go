package evidence_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestIssuingSealsTheChainAndLeavesItsTraces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	var claims evidence.ProofClaims
	p, token, err := w.store.Evidence.Proofs.Issue(t.Context(), evidence.ProofRequest{
		Incident: i.ID, For: 36 * time.Hour, Audience: "the bank", By: "ada@example.com",
		Issuer: "https://ops.example.com",
	}, func(c evidence.ProofClaims) (string, error) { claims = c; return "tok", nil })
	if err != nil || token != "tok" {
		t.Fatal(token, err)
	}
	seq, hash, err := w.engine.SealEffect(t.Context(), i.EffectID)
	if err != nil || seq != p.HeadSeq+1 {
		t.Fatalf("the head is entry %d, the chain ends at %d, want one more: the proof's own entry (%v)", p.HeadSeq, seq, err)
	}
	if hex.EncodeToString(hash) == hex.EncodeToString(p.HeadHash) || claims.HeadSeq != p.HeadSeq ||
		string(claims.HeadHash) != string(p.HeadHash) {
		t.Errorf("heads differ: %+v, %+v", claims, p)
	}
	if claims.ExpiresAt.Sub(claims.IssuedAt) != 36*time.Hour || claims.IssuedAt.Nanosecond() != 0 || claims.JTI != p.JTI ||
		claims.Incident != i.ID {
		t.Errorf("claims %+v", claims)
	}
	if kinds, _ := w.db.Kinds(i.Key); kinds[len(kinds)-1] != "proof" {
		t.Errorf("timeline %v", kinds)
	}
	if n := w.count(
		"SELECT count(*) FROM sendpromptly.audit AS a WHERE a.action = 'proof.issue' AND a.actor = 'ada@example.com' AND "+
			"a.subject = $1",
		p.JTI,
	); n != 1 {
		t.Errorf("%d audit entries", n)
	}
	if n := w.count(
		"SELECT count(*) FROM sendpromptly.chains AS c WHERE sendpromptly.proof_bearing(c.project_id, c.effect_id)",
	); n != 1 {
		t.Errorf("%d effects bear a proof", n)
	}
	if still, err := w.store.Evidence.Chains.StillProven(t.Context(), p); !still || err != nil {
		t.Errorf("StillProven = %v, %v", still, err)
	}
	w.db.RequireSound()
}

// What a new proof proves, and an export up to it holds, is every entry that existed, sealed before or not.
func TestANewProofCoversEveryEntryThatExists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	if err := w.engine.Note(t.Context(), i.ID, "ada", "asked the bank"); err != nil {
		t.Fatal(err)
	}
	p := w.issue(i.ID)
	entries, err := w.store.Evidence.Chains.Export(t.Context(), i.ID, p.HeadSeq)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	if want := []string{"receipt", "failure", "opened", "note"}; !slices.Equal(kinds, want) {
		t.Errorf("exported %v, want %v", kinds, want)
	}
	if _, err := w.store.Evidence.Chains.Export(t.Context(), engine.IncidentID(p.JTI), 0); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("of an unknown incident: %v", err)
	}
}

func TestAProofThatCannotBeSignedWasNeverIssued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	broken := errors.New("the key is gone")
	_, _, err := w.store.Evidence.Proofs.Issue(
		t.Context(),
		evidence.ProofRequest{Incident: i.ID, By: "ada", Issuer: "x"},
		func(evidence.ProofClaims) (string, error) { return "", broken },
	)
	if !errors.Is(err, broken) || w.count("SELECT count(*) FROM sendpromptly.proofs") != 0 {
		t.Errorf("err = %v", err)
	}
	if kinds, _ := w.db.Kinds(i.Key); strings.Contains(strings.Join(kinds, " "), "proof") {
		t.Errorf("timeline %v", kinds)
	}
}

func TestAProofRequestThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := evidence.ProofRequest{Incident: w.incident("evt_1").ID, By: "ada", Issuer: "https://a"}
	for field, change := range map[string]func(*evidence.ProofRequest){
		"incident": func(r *evidence.ProofRequest) { r.Incident = "nonsense" },
		"for":      func(r *evidence.ProofRequest) { r.For = 90*24*time.Hour + time.Second },
		"by":       func(r *evidence.ProofRequest) { r.By = "" },
		"issuer":   func(r *evidence.ProofRequest) { r.Issuer = "" },
		"audience": func(r *evidence.ProofRequest) { r.Audience = "a\x00b" },
	} {
		r := good
		change(&r)
		var refused *engine.FieldError
		if _, _, err := w.store.Evidence.Proofs.Issue(t.Context(), r, nil); !errors.As(err, &refused) || refused.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, change := range map[string]func(*evidence.ProofRequest){
		"no incident":     func(r *evidence.ProofRequest) { r.Incident = "01a20a17-009a-71c6-8eae-a46dc2e0fc74" },
		"another project": func(r *evidence.ProofRequest) { r.Project = "elsewhere" },
	} {
		r := good
		change(&r)
		if _, _, err := w.store.Evidence.Proofs.Issue(t.Context(), r, nil); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProofLivesUntilItExpiresOrIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.issue(w.incident("evt_1").ID)
	if p.ExpiresAt.Sub(p.IssuedAt) != evidence.DefaultProofLife || !p.Live(p.IssuedAt) || p.Live(p.ExpiresAt) ||
		p.Live(p.IssuedAt.Add(-time.Second)) {
		t.Errorf("proof %+v", p)
	}
	revoked, err := w.store.Evidence.Proofs.Revoke(t.Context(), p.JTI, "bob@example.com")
	if err != nil || revoked.RevokedBy != "bob@example.com" || revoked.Live(p.IssuedAt) {
		t.Errorf("revoked %+v, %v", revoked, err)
	}
	again, err := w.store.Evidence.Proofs.Revoke(t.Context(), p.JTI, "eve@example.com")
	if err != nil || again.RevokedBy != "bob@example.com" || !again.RevokedAt.Equal(revoked.RevokedAt) {
		t.Errorf("revoked again %+v, %v", again, err)
	}
	if n := w.count("SELECT count(*) FROM sendpromptly.audit AS a WHERE a.action = 'proof.revoke'"); n != 1 {
		t.Errorf("%d audit entries", n)
	}
	for _, jti := range []string{"01a20a17-009a-71c6-8eae-a46dc2e0fc74"} {
		if _, err := w.store.Evidence.Proofs.Revoke(t.Context(), jti, "ada"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("revoking %s: %v", jti, err)
		}
	}
}

func TestProofsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.incident("evt_1"), w.incident("evt_2")
	first, second, third := w.issue(one.ID), w.issue(one.ID), w.issue(two.ID)
	jtis := func(f evidence.ProofFilter) (list []string, next string) {
		page, err := w.store.Evidence.Proofs.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Proofs {
			list = append(list, p.JTI)
		}
		return list, page.Next
	}
	if got, _ := jtis(
		evidence.ProofFilter{},
	); strings.Join(
		got,
		" ",
	) != strings.Join(
		[]string{third.JTI, second.JTI, first.JTI},
		" ",
	) {
		t.Errorf("all: %v", got)
	}
	if got, _ := jtis(evidence.ProofFilter{Incident: one.ID}); len(got) != 2 {
		t.Errorf("of one incident: %v", got)
	}
	got, next := jtis(evidence.ProofFilter{Limit: 2})
	if rest, end := jtis(
		evidence.ProofFilter{Limit: 2, Before: next},
	); len(got) != 2 || len(rest) != 1 || rest[0] != first.JTI ||
		end != "" {
		t.Errorf("pages: %v, %v, %q", got, rest, end)
	}
	if _, _, err := w.store.Projects.Create(t.Context(), "elsewhere", projects.Settings{}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	if got, _ := jtis(evidence.ProofFilter{Project: "elsewhere"}); len(got) != 0 {
		t.Errorf("of another project: %v", got)
	}
	if _, err := w.store.Evidence.Proofs.List(
		t.Context(),
		evidence.ProofFilter{Project: "nosuch"},
	); !errors.Is(
		err,
		engine.ErrNotFound,
	) {
		t.Errorf("of a project that does not exist: %v", err)
	}
}

func TestViewsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.issue(w.incident("evt_1").ID)
	for range 3 {
		if err := w.store.Evidence.Proofs.CountView(context.WithoutCancel(t.Context()), p.JTI); err != nil {
			t.Fatal(err)
		}
	}
	if seen, err := w.store.Evidence.Proofs.Get(t.Context(), p.JTI); err != nil || seen.Views != 3 || seen.LastView.IsZero() {
		t.Errorf("%+v, %v", seen, err)
	}
}

// Retention leaves an effect alone while a proof of it is being issued, and after
// that it bears one.
func TestIssuingHoldsTheEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	w.exec("SELECT sendpromptly.succeed('stripe', 'evt_1')")
	const forget = `SELECT cardinality(sendpromptly.forget(e.project_id, ARRAY[e.effect_id], 'infinity')) FROM ` +
		`sendpromptly.effects AS e`
	_, _, err := w.store.Evidence.Proofs.Issue(
		t.Context(),
		evidence.ProofRequest{Incident: i.ID, By: "ada", Issuer: "x"},
		func(evidence.ProofClaims) (string, error) {
			if n := w.count(forget); n != 0 {
				t.Errorf("%d effects were removed while the proof was issued", n)
			}
			return "", errors.New("the key is gone")
		},
	)
	if err == nil {
		t.Fatal("a proof without a token")
	}
	w.issue(i.ID)
	if n := w.count(forget); n != 0 {
		t.Errorf("%d effects were removed that bear a proof", n)
	}
	w.exec("DELETE FROM sendpromptly.proofs")
	if n := w.count(forget); n != 1 {
		t.Errorf("%d effects were removed, want the one that bears none", n)
	}
}
