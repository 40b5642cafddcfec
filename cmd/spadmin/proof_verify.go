package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

type proofVerify struct {
	What     string `arg:"" name:"proof" help:"A token, a link, a file with a bundle, or - for the standard input."`
	JWKS     string `name:"jwks" help:"Trust the keys of this file alone, and ask neither database nor network." placeholder:"FILE"`
	Key      string `help:"Trust the key with this thumbprint alone." placeholder:"THUMBPRINT"`
	Issuer   string `help:"The base URL that must have issued it. Default: this server's, or with --jwks and --key any." placeholder:"URL"`
	Incident string `help:"The incident that it must be for." placeholder:"ID"`
	At       string `help:"The moment to check it at, RFC 3339. Default: now." placeholder:"TIME"`
	keyFolder
	issuer
	JSON bool `help:"Print JSON."`
}

// verdict is what the check found.
type verdict struct {
	Valid   bool            `json:"valid"`
	Reasons []proofs.Reason `json:"reasons"`
	Claims  any             `json:"claims"`
	detail  string
	grant   *proofs.Grant
}

// Run checks a proof; one that is not valid gives exit code 1.
func (c proofVerify) Run(s *session) error {
	text, err := c.read()
	if err != nil {
		return err
	}
	v, err := c.check(s, text)
	if err != nil {
		return err
	}
	if c.JSON {
		err = sayJSON(s.stdout, v)
	} else {
		v.say(s)
	}
	if err == nil && !v.Valid {
		return errFound
	}
	return err
}

// read takes what is to be checked from where it is.
func (c proofVerify) read() (string, error) {
	var text []byte
	var err error
	switch {
	case c.What == "-":
		text, err = io.ReadAll(io.LimitReader(os.Stdin, proofs.MaxBundle+1))
	case proofs.IsBundle([]byte(c.What)) || strings.HasPrefix(c.What, "http://") || strings.HasPrefix(c.What, "https://"):
		return c.What, nil
	default:
		info, found := os.Stat(c.What)
		if found != nil && !strings.ContainsAny(c.What, `/\`) && !strings.HasSuffix(c.What, ".json") {
			return c.What, nil // no file, so a token
		}
		if found == nil && info.Size() > proofs.MaxBundle {
			return "", &engine.FieldError{Field: "the file", Reason: "is larger than a bundle may be"}
		}
		text, err = os.ReadFile(c.What)
	}
	if err != nil {
		return "", &engine.FieldError{Field: "the proof", Reason: "cannot be read: " + err.Error()}
	}
	if proofs.IsBundle(text) {
		return string(text), nil
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// check finds out what to trust, and checks.
func (c proofVerify) check(s *session, text string) (verdict, error) {
	var at time.Time
	var err error
	if c.At != "" {
		if at, err = time.Parse(time.RFC3339, c.At); err != nil {
			return verdict{}, &engine.FieldError{Field: "--at", Reason: "is not a time as in 2026-01-02T15:04:05Z"}
		}
	}
	if c.Issuer != "" {
		if c.Issuer, err = baseURL("--issuer", c.Issuer); err != nil {
			return verdict{}, err
		}
	}
	keys, ours, err := c.trusted(text)
	if err != nil {
		return verdict{}, err
	}
	if ours {
		return c.checkWithStore(s, keys, text, at)
	}
	if at.IsZero() {
		at = time.Now()
	}
	v := judge(proofs.NewVerifier(keys, c.Issuer).For(c.Incident).VerifyText(text, at))
	if keys == nil && slices.Contains(v.Reasons, proofs.UnknownKey) {
		v.detail = "no key is trusted: name a key set with --jwks, or your own keys with SENDPROMPTLY_PROOF_KEYS"
	}
	return v, nil
}

// trusted are the keys to trust: those of --jwks, the one of --key, or ours. No
// keys at all are no error: then nothing is valid.
func (c proofVerify) trusted(text string) (keys *proofs.Keys, ours bool, err error) {
	switch {
	case c.JWKS != "":
		set, err := os.ReadFile(c.JWKS)
		if err != nil {
			return nil, false, &engine.FieldError{Field: "--jwks", Reason: "cannot be read: " + err.Error()}
		}
		if keys, err = proofs.ParseKeys(set); err != nil {
			return nil, false, &engine.FieldError{Field: "--jwks", Reason: "is no key set: " + err.Error()}
		}
	case c.Key != "" && proofs.IsBundle([]byte(text)):
		b, err := proofs.ParseBundle([]byte(text))
		if err != nil {
			return nil, false, nil //nolint:nilerror // the check says so again, in its verdict
		}
		keys, err = proofs.KeysFrom(func() ([]jws.Key, error) { return []jws.Key{b.Key}, nil })
		return keys.Only(c.Key), false, err
	default:
		if keys, err = c.optional(); keys == nil {
			return nil, false, err
		}
		ours = true
	}
	if c.Key != "" {
		keys = keys.Only(c.Key)
	}
	return keys, ours, nil
}

// checkWithStore checks a proof of our own: what the token cannot say is looked
// up once its signature holds.
func (c proofVerify) checkWithStore(s *session, keys *proofs.Keys, text string, at time.Time) (verdict, error) {
	if c.Issuer == "" {
		base, err := c.base()
		if err != nil {
			return verdict{}, err
		}
		c.Issuer = base
	}
	st, _, done, err := s.store()
	if err != nil {
		return verdict{}, err
	}
	defer done()
	if at.IsZero() {
		if at, err = st.Checks.Now(s.ctx); err != nil {
			return verdict{}, err
		}
	}
	v := judge(proofs.NewVerifier(keys, c.Issuer).For(c.Incident).VerifyText(text, at))
	if v.grant == nil {
		return v, nil
	}
	proof, err := st.Evidence.Proofs.Get(s.ctx, v.grant.ID)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return verdict{}, err
	}
	if !issued(proof, *v.grant) {
		return v.and(proofs.NotIssued, ""), nil
	}
	if !proof.RevokedAt.IsZero() {
		v = v.and(proofs.Revoked, "")
	}
	entries, err := st.Evidence.Chains.Export(s.ctx, engine.IncidentID(v.grant.Incident), v.grant.Head.Seq)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return verdict{}, err
	}
	var broken *proofs.Refusal
	if errors.As(proofs.VerifyChain(bundled(entries), v.grant.Head), &broken) {
		v = v.and(broken.Reasons[0], broken.Detail)
	}
	return v, nil
}

// issued says whether a token says what was issued under its id.
func issued(p evidence.Proof, g proofs.Grant) bool {
	return p.JTI == g.ID && string(p.Incident) == g.Incident && p.Issuer == g.Issuer && p.IssuedAt.Equal(g.IssuedAt) &&
		p.ExpiresAt.Equal(g.ExpiresAt) &&
		p.HeadSeq == g.Head.Seq &&
		bytes.Equal(p.HeadHash, g.Head.Hash[:])
}

// judge turns the answer of a verifier into a verdict.
func judge(g proofs.Grant, err error) verdict {
	v := verdict{Valid: err == nil, Reasons: []proofs.Reason{}, Claims: struct{}{}}
	var refusal *proofs.Refusal
	switch {
	case err == nil:
		v.grant = &g
	case errors.As(err, &refusal):
		v.Reasons, v.detail, v.grant = refusal.Reasons, refusal.Detail, refusal.Grant
	default:
		v.Reasons = []proofs.Reason{proofs.Malformed}
	}
	if v.grant != nil {
		v.Claims = json.RawMessage(v.grant.Claims())
	}
	return v
}

// and adds a reason.
func (v verdict) and(reason proofs.Reason, detail string) verdict {
	v.Valid, v.Reasons = false, append(v.Reasons, reason)
	if detail != "" {
		v.detail = detail
	}
	return v
}

// say tells people.
func (v verdict) say(s *session) {
	if v.Valid {
		g := v.grant
		say(
			s.stdout,
			"%s incident %s: its timeline up to entry %d is as it was when %s issued this proof, %s",
			colour.Good.Render("✓ valid"),
			g.Incident,
			g.Head.Seq,
			printable(g.Issuer),
			moment(g.IssuedAt),
		)
		say(s.stdout, "%s", colour.Quiet.Render("until "+moment(g.ExpiresAt)+", proof "+g.ID))
		return
	}
	words := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		words[i] = string(r)
	}
	say(s.stdout, "%s %s", colour.Bad.Render("✗ not valid:"), strings.Join(words, ", "))
	if v.detail != "" {
		say(s.stdout, "  %s", printable(v.detail))
	}
}
