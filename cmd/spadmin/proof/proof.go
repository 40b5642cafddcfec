// Package proof is the subcommands of spadmin proof.
package proof

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/qr"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/internal/wire"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// Command is spadmin proof: it issues, checks, exports and revokes proofs, and manages their keys.
type Command struct {
	Create proofCreate `cmd:"" help:"Issue a proof of an incident and print its link once."`
	Export proofExport `cmd:"" help:"Write a proof and its timeline to one file for offline checks."`
	Verify proofVerify `cmd:"" help:"Check a token, a link or a bundle."`
	Revoke proofRevoke `cmd:"" help:"Revoke a proof before it expires."`
	List   proofList   `cmd:"" help:"List the issued proofs, newest first."`
	Keys   proofKeys   `cmd:"" help:"Create, list, retire and restore the keys that sign proofs."`
}

// keyFolder is the flag for the folder of the proof keys.
type keyFolder struct {
	KeyFolder string `name:"keys" help:"Folder of the proof keys." env:"SENDPROMPTLY_PROOF_KEYS" placeholder:"FOLDER"`
}

// keysInEnvironment is the variable that may hold the keys as a JWK or a JWK set.
// A configured folder takes precedence.
const keysInEnvironment = "SENDPROMPTLY_PROOF_JWK"

// folder returns the configured folder, or an error if there is none.
func (k keyFolder) folder() (proofs.Folder, error) {
	if k.KeyFolder == "" {
		return "", &engine.FieldError{
			Field:  "SENDPROMPTLY_PROOF_KEYS",
			Reason: "is not set: set it to a folder, then create a key in it with spadmin proof keys new",
		}
	}
	return proofs.Folder(k.KeyFolder), nil
}

// load reads the keys. There may be none.
func (k keyFolder) load() (*proofs.Keys, error) {
	if text := os.Getenv(keysInEnvironment); k.KeyFolder == "" && text != "" {
		keys, err := proofs.ParseKeys([]byte(text))
		if err != nil {
			return nil, &engine.FieldError{Field: keysInEnvironment, Reason: "must be a JWK or a JWK set with Ed25519 keys"}
		}
		return keys, nil
	}
	folder, err := k.folder()
	if err != nil {
		return nil, err
	}
	return proofs.LoadKeys(string(folder))
}

// optional reads the keys, or returns nil if none are configured.
func (k keyFolder) optional() (*proofs.Keys, error) {
	if k.KeyFolder == "" && os.Getenv(keysInEnvironment) == "" {
		return nil, nil
	}
	return k.load()
}

// OptionalKeys reads the keys of a folder, or of the environment where folder is
// empty. It returns nil if none are configured.
func OptionalKeys(folder string) (*proofs.Keys, error) { return keyFolder{folder}.optional() }

// signing reads the keys and requires one that can sign.
func (k keyFolder) signing() (*proofs.Keys, error) {
	keys, err := k.load()
	if err != nil {
		return nil, err
	}
	for _, key := range keys.List() {
		if key.Signs() {
			return keys, nil
		}
	}
	return nil, proofs.ErrNoKey
}

// issuing are the flags of commands that issue a proof.
type issuing struct {
	For  time.Duration `help:"How long the proof is valid, at most 2160h." default:"168h"`
	Note string        `help:"Who the proof is for. Only the team sees this." placeholder:"TEXT"`
	keyFolder
	cli.IssuerFlag
	cli.Operator
}

// issue issues a proof of an incident.
func (i issuing) issue(s *cli.Session, st *rooms.Rooms, keys *proofs.Keys, incident string) (evidence.Proof, string, error) {
	base, err := i.Base()
	if err != nil {
		return evidence.Proof{}, "", err
	}
	request := evidence.ProofRequest{
		Incident: engine.IncidentID(incident), For: i.For, Audience: i.Note, By: i.Actor(),
		Issuer: base,
	}
	proof, token, err := st.Evidence.Proofs.Issue(
		s.Context,
		request,
		func(c evidence.ProofClaims) (string, error) { return keys.Signer().Sign(grant(c)) },
	)
	if errors.Is(err, engine.ErrNotFound) {
		return proof, "", cli.WithHint(err, "spadmin incidents lists the ids")
	}
	return proof, token, err
}

// grant turns the claims of the store into a grant to sign.
func grant(c evidence.ProofClaims) proofs.Grant {
	g := proofs.Grant{
		Issuer:    c.Issuer,
		Incident:  string(c.Incident),
		ID:        c.JTI,
		IssuedAt:  c.IssuedAt,
		ExpiresAt: c.ExpiresAt,
		Head:      proofs.Head{Seq: c.HeadSeq},
	}
	copy(g.Head.Hash[:], c.HeadHash)
	return g
}

type proofCreate struct {
	Incident string `arg:"" help:"The incident."`
	issuing
	QR   bool `name:"qr" help:"Also print the link as a QR code."`
	JSON bool `help:"Print JSON."`
}

// Run issues a proof.
func (c proofCreate) Run(s *cli.Session) error {
	keys, err := c.signing()
	if err != nil {
		return err
	}
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	proof, token, err := c.issue(s, st, keys, c.Incident)
	if err != nil {
		return err
	}
	c.Remind(s)
	link := proofs.Link(proof.Issuer, token)
	if c.JSON {
		return cli.SayJSON(s.Stdout, struct {
			wire.ProofWithLink
			Token string `json:"token"`
		}{wire.ProofWithLink{Proof: proof, URL: link}, token})
	}
	_, _ = fmt.Fprintln(s.Stdout, link)
	if c.QR {
		picture, err := qr.Text(link)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprint(s.Stdout, picture)
	}
	_, _ = fmt.Fprintf(
		s.Stderr,
		"proof %s of incident %s is valid until %s; the link is not stored\n",
		proof.JTI,
		proof.Incident,
		cli.Moment(proof.ExpiresAt),
	)
	return nil
}

type proofRevoke struct {
	JTI string `arg:"" help:"The proof's id."`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run revokes a proof.
func (c proofRevoke) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	proof, err := st.Evidence.Proofs.Revoke(s.Context, c.JTI, c.Actor())
	if errors.Is(err, engine.ErrNotFound) {
		return cli.WithHint(err, "spadmin proof list prints the ids")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, proof)
	}
	cli.Say(s.Stdout, "revoked %s of incident %s at %s", colour.Strong.Render(proof.JTI), proof.Incident,
		cli.Moment(proof.RevokedAt))
	return nil
}

type proofList struct {
	Project  string `help:"List proofs of this project only." placeholder:"NAME"`
	Incident string `help:"List proofs of this incident only." placeholder:"ID"`
	Before   string `help:"Continue after this proof, the last one of the previous page." placeholder:"JTI"`
	Limit    int    `help:"Number of proofs, at most 500." default:"50"`
	JSON     bool   `help:"Print JSON."`
}

// Run lists proofs.
func (c proofList) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	page, err := st.Evidence.Proofs.List(
		s.Context,
		evidence.ProofFilter{Project: c.Project, Incident: engine.IncidentID(c.Incident), Before: c.Before, Limit: c.Limit},
	)
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Proofs{Proofs: append([]evidence.Proof{}, page.Proofs...), NextCursor: page.Next})
	}
	if len(page.Proofs) == 0 {
		cli.Say(s.Stdout, "no proofs")
		return nil
	}
	now, err := st.Checks.Now(s.Context)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range page.Proofs {
		rows = append(rows, []string{
			p.JTI, proofState(p, now), string(p.Incident), cli.Moment(p.IssuedAt), cli.Moment(p.ExpiresAt),
			cli.Printable(string(p.IssuedBy)),
			fmt.Sprint(p.Views), cli.Moment(p.LastView), cli.Printable(p.Audience),
		})
	}
	cli.SayTable(s.Stdout, []string{"PROOF", "STATE", "INCIDENT", "ISSUED", "EXPIRES", "BY", "VIEWS", "LAST VIEW", "FOR"}, rows)
	if page.Next != "" {
		cli.Say(s.Stdout, "%s", colour.Quiet.Render("more: --before "+page.Next))
	}
	return nil
}

func proofState(p evidence.Proof, now time.Time) string {
	switch {
	case !p.RevokedAt.IsZero():
		return colour.Bad.Render("revoked")
	case !now.Before(p.ExpiresAt):
		return colour.Quiet.Render("expired")
	}
	return colour.Good.Render("live")
}
