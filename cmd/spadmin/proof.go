package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/qr"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/internal/wire"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type proofCommand struct {
	Create proofCreate `cmd:"" help:"Issue a proof of an incident and print its link, once."`
	Export proofExport `cmd:"" help:"Write a proof with its timeline into one file, for checking it offline."`
	Verify proofVerify `cmd:"" help:"Check a token, a link or a bundle."`
	Revoke proofRevoke `cmd:"" help:"End a proof before its time."`
	List   proofList   `cmd:"" help:"List the proofs that were issued, newest first."`
	Keys   proofKeys   `cmd:"" help:"The keys that sign proofs: make, list, retire, roll back."`
}

// keyFolder is where the proof keys are.
type keyFolder struct {
	KeyFolder string `name:"keys" help:"Folder of the proof keys." env:"SENDPROMPTLY_PROOF_KEYS" placeholder:"FOLDER"`
}

// keysInEnvironment names the variable that may hold the keys themselves, as a
// JWK or a JWK set, where no folder does.
const keysInEnvironment = "SENDPROMPTLY_PROOF_JWK"

// folder requires that there is a name of a folder.
func (k keyFolder) folder() (proofs.Folder, error) {
	if k.KeyFolder == "" {
		return "", &engine.FieldError{
			Field:  "SENDPROMPTLY_PROOF_KEYS",
			Reason: "is not set: name a folder, then spadmin proof keys new makes a key in it",
		}
	}
	return proofs.Folder(k.KeyFolder), nil
}

// load reads the keys, which may be none.
func (k keyFolder) load() (*proofs.Keys, error) {
	if text := os.Getenv(keysInEnvironment); k.KeyFolder == "" && text != "" {
		keys, err := proofs.ParseKeys([]byte(text))
		if err != nil {
			return nil, &engine.FieldError{Field: keysInEnvironment, Reason: "is neither a JWK nor a JWK set with Ed25519 keys"}
		}
		return keys, nil
	}
	folder, err := k.folder()
	if err != nil {
		return nil, err
	}
	return proofs.LoadKeys(string(folder))
}

// optional reads the keys where something says where they are, else it returns nil.
func (k keyFolder) optional() (*proofs.Keys, error) {
	if k.KeyFolder == "" && os.Getenv(keysInEnvironment) == "" {
		return nil, nil
	}
	return k.load()
}

// signing reads the keys and requires one that signs.
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

// issuer is the base URL that proofs name.
type issuer struct {
	BaseURL string `name:"base-url" help:"Where users reach the server. Default: http://127.0.0.1:8787." env:"SENDPROMPTLY_BASE_URL" placeholder:"URL"`
}

// defaultBaseURL is where serve is reached that was told nothing else.
const defaultBaseURL = "http://127.0.0.1:8787"

// base returns the base URL without a slash at its end.
func (i issuer) base() (string, error) {
	return baseURL("--base-url", cmp.Or(i.BaseURL, defaultBaseURL))
}

// remind says what a link begins with where nobody said it.
func (i issuer) remind(s *session) {
	if i.BaseURL == "" {
		_, _ = fmt.Fprintf(
			s.stderr,
			"hint: the link begins with the default, %s: --base-url URL or SENDPROMPTLY_BASE_URL says where users reach the server\n",
			defaultBaseURL,
		)
	}
}

func baseURL(field, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return "", &engine.FieldError{Field: field, Reason: "must be an absolute http or https URL without a query"}
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u.String(), nil
}

// issuing is what it takes to issue a proof.
type issuing struct {
	For  time.Duration `help:"How long it holds, at most 2160h." default:"168h"`
	Note string        `help:"Who it is for, for the team; the customer does not see it." placeholder:"TEXT"`
	keyFolder
	issuer
	operator
}

// issue issues a proof of an incident.
func (i issuing) issue(s *session, st *rooms.Rooms, keys *proofs.Keys, incident string) (evidence.Proof, string, error) {
	base, err := i.base()
	if err != nil {
		return evidence.Proof{}, "", err
	}
	request := evidence.ProofRequest{Incident: engine.IncidentID(incident), For: i.For, Audience: i.Note, By: i.name(), Issuer: base}
	proof, token, err := st.Evidence.Proofs.Issue(
		s.ctx,
		request,
		func(c evidence.ProofClaims) (string, error) { return keys.Signer().Sign(grant(c)) },
	)
	if errors.Is(err, engine.ErrNotFound) {
		return proof, "", hint{err, "spadmin incidents lists the ids"}
	}
	return proof, token, err
}

// grant is what the store wants signed.
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
	QR   bool `name:"qr" help:"Draw the link as a QR code too."`
	JSON bool `help:"Print JSON."`
}

// Run issues a proof.
func (c proofCreate) Run(s *session) error {
	keys, err := c.signing()
	if err != nil {
		return err
	}
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	proof, token, err := c.issue(s, st, keys, c.Incident)
	if err != nil {
		return err
	}
	c.remind(s)
	link := proofs.Link(proof.Issuer, token)
	if c.JSON {
		return sayJSON(s.stdout, struct {
			wire.ProofWithLink
			Token string `json:"token"`
		}{wire.ProofWithLink{Proof: proof, URL: link}, token})
	}
	_, _ = fmt.Fprintln(s.stdout, link)
	if c.QR {
		picture, err := qr.Text(link)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprint(s.stdout, picture)
	}
	_, _ = fmt.Fprintf(
		s.stderr,
		"proof %s of incident %s, until %s; the link is not kept\n",
		proof.JTI,
		proof.Incident,
		moment(proof.ExpiresAt),
	)
	return nil
}

type proofRevoke struct {
	JTI string `arg:"" help:"The proof's id."`
	operator
	JSON bool `help:"Print JSON."`
}

// Run ends a proof.
func (c proofRevoke) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	proof, err := st.Evidence.Proofs.Revoke(s.ctx, c.JTI, c.name())
	if errors.Is(err, engine.ErrNotFound) {
		return hint{err, "spadmin proof list shows the ids"}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, proof)
	}
	say(s.stdout, "revoked %s of incident %s at %s", colour.Strong.Render(proof.JTI), proof.Incident, moment(proof.RevokedAt))
	return nil
}

type proofList struct {
	Project  string `help:"Only this project." placeholder:"NAME"`
	Incident string `help:"Only this incident." placeholder:"ID"`
	Before   string `help:"Go on after this proof: the last of the page before." placeholder:"JTI"`
	Limit    int    `help:"How many, at most 500." default:"50"`
	JSON     bool   `help:"Print JSON."`
}

// Run lists proofs.
func (c proofList) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	page, err := st.Evidence.Proofs.List(
		s.ctx,
		evidence.ProofFilter{Project: c.Project, Incident: engine.IncidentID(c.Incident), Before: c.Before, Limit: c.Limit},
	)
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.Proofs{Proofs: append([]evidence.Proof{}, page.Proofs...), NextCursor: page.Next})
	}
	if len(page.Proofs) == 0 {
		say(s.stdout, "no proofs")
		return nil
	}
	now, err := st.Checks.Now(s.ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range page.Proofs {
		rows = append(rows, []string{
			p.JTI, proofState(p, now), string(p.Incident), moment(p.IssuedAt), moment(p.ExpiresAt), printable(string(p.IssuedBy)),
			fmt.Sprint(p.Views), moment(p.LastView), printable(p.Audience),
		})
	}
	sayTable(s.stdout, []string{"PROOF", "STATE", "INCIDENT", "ISSUED", "EXPIRES", "BY", "VIEWS", "LAST VIEW", "FOR"}, rows)
	if page.Next != "" {
		say(s.stdout, "%s", colour.Quiet.Render("more: --before "+page.Next))
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
