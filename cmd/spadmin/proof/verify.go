package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

type proofVerify struct {
	What     string `arg:"" name:"proof" help:"A token, a link, a bundle file, or - for standard input."`
	JWKS     string `name:"jwks" help:"Trust only the keys of this file. Use neither the database nor the network." placeholder:"FILE"`
	Key      string `help:"Trust only the key with this thumbprint." placeholder:"THUMBPRINT"`
	Issuer   string `help:"The base URL that must have issued the proof. Default: this server's, or any with --jwks or --key." placeholder:"URL"`
	Incident string `help:"The incident that the proof must be for." placeholder:"ID"`
	At       string `help:"The time of the check, in RFC 3339. Default: now." placeholder:"TIME"`
	keyFolder
	cli.IssuerFlag
	JSON bool `help:"Print JSON."`
}

// verdict is the result of a check.
type verdict struct {
	Valid   bool            `json:"valid"`
	Reasons []proofs.Reason `json:"reasons"`
	Claims  any             `json:"claims"`
	detail  string
	grant   *proofs.Grant
}

// Run checks a proof; an invalid one gives exit code 1.
func (c proofVerify) Run(s *cli.Session) error {
	text, err := c.read()
	if err != nil {
		return err
	}
	v, err := c.check(s, text)
	if err != nil {
		return err
	}
	if c.JSON {
		err = cli.SayJSON(s.Stdout, v)
	} else {
		v.say(s)
	}
	if err == nil && !v.Valid {
		return cli.ErrFound
	}
	return err
}

// read reads the token, link or bundle to check.
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
			return "", &engine.FieldError{Field: "the file", Reason: "is too large: a bundle has at most 16 MiB"}
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

// check chooses the trusted keys and checks the proof.
func (c proofVerify) check(s *cli.Session, text string) (verdict, error) {
	var at time.Time
	var err error
	if c.At != "" {
		if at, err = time.Parse(time.RFC3339, c.At); err != nil {
			return verdict{}, &engine.FieldError{Field: "--at", Reason: "is not a time: write it as 2026-01-02T15:04:05Z"}
		}
	}
	if c.Issuer != "" {
		if c.Issuer, err = cli.BaseURL("--issuer", c.Issuer); err != nil {
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
		v.detail = "no key is trusted: pass a key set with --jwks, or set SENDPROMPTLY_PROOF_KEYS"
	}
	return v, nil
}

// trusted returns the keys to trust: those of --jwks, the one of --key, or ours.
// Having no keys is not an error: then no proof is valid.
func (c proofVerify) trusted(text string) (keys *proofs.Keys, ours bool, err error) {
	switch {
	case c.JWKS != "":
		set, err := os.ReadFile(c.JWKS)
		if err != nil {
			return nil, false, &engine.FieldError{Field: "--jwks", Reason: "cannot be read: " + err.Error()}
		}
		if keys, err = proofs.ParseKeys(set); err != nil {
			return nil, false, &engine.FieldError{Field: "--jwks", Reason: "is not a key set: " + err.Error()}
		}
	case c.Key != "" && proofs.IsBundle([]byte(text)):
		b, err := proofs.ParseBundle([]byte(text))
		if err != nil {
			return nil, false, nil //nolint:nilerror // the check reports it again, in its verdict
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

// checkWithStore checks a proof of our own. After the signature, it checks in the
// store whether the proof was issued, revoked or altered.
func (c proofVerify) checkWithStore(s *cli.Session, keys *proofs.Keys, text string, at time.Time) (verdict, error) {
	if c.Issuer == "" {
		base, err := c.Base()
		if err != nil {
			return verdict{}, err
		}
		c.Issuer = base
	}
	st, _, done, err := s.Store()
	if err != nil {
		return verdict{}, err
	}
	defer done()
	if at.IsZero() {
		if at, err = st.Checks.Now(s.Context); err != nil {
			return verdict{}, err
		}
	}
	v := judge(proofs.NewVerifier(keys, c.Issuer).For(c.Incident).VerifyText(text, at))
	if v.grant == nil {
		return v, nil
	}
	proof, err := st.Evidence.Proofs.Get(s.Context, v.grant.ID)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return verdict{}, err
	}
	if !issued(proof, *v.grant) {
		return v.and(proofs.NotIssued, ""), nil
	}
	if !proof.RevokedAt.IsZero() {
		v = v.and(proofs.Revoked, "")
	}
	entries, err := st.Evidence.Chains.Export(s.Context, engine.IncidentID(v.grant.Incident), v.grant.Head.Seq)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return verdict{}, err
	}
	var broken *proofs.Refusal
	if errors.As(proofs.VerifyChain(bundled(entries), v.grant.Head), &broken) {
		v = v.and(broken.Reasons[0], broken.Detail)
	}
	return v, nil
}

// issued reports whether a token equals the proof that was issued with its id.
func issued(p evidence.Proof, g proofs.Grant) bool {
	return p.JTI == g.ID && string(p.Incident) == g.Incident && p.Issuer == g.Issuer && p.IssuedAt.Equal(g.IssuedAt) &&
		p.ExpiresAt.Equal(g.ExpiresAt) &&
		p.HeadSeq == g.Head.Seq &&
		bytes.Equal(p.HeadHash, g.Head.Hash[:])
}

// judge converts the result of a verifier to a verdict.
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

// say prints the verdict for people.
func (v verdict) say(s *cli.Session) {
	if v.Valid {
		g := v.grant
		cli.Say(
			s.Stdout,
			"%s incident %s: its timeline up to entry %d is unchanged since %s issued this proof at %s",
			colour.Good.Render("✓ valid"),
			g.Incident,
			g.Head.Seq,
			cli.Printable(g.Issuer),
			cli.Moment(g.IssuedAt),
		)
		cli.Say(s.Stdout, "%s", colour.Quiet.Render("proof "+g.ID+", valid until "+cli.Moment(g.ExpiresAt)))
		return
	}
	words := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		words[i] = string(r)
	}
	cli.Say(s.Stdout, "%s %s", colour.Bad.Render("✗ not valid:"), strings.Join(words, ", "))
	if v.detail != "" {
		cli.Say(s.Stdout, "  %s", cli.Printable(v.detail))
	}
}
