package evidence

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// The life of a proof.
const (
	DefaultProofLife = 7 * 24 * time.Hour
	MaxProofLife     = 90 * 24 * time.Hour
)

// Proofs are the issued proofs of all projects.
type Proofs struct {
	db       *store.DB
	projects *projects.Projects
}

// Proof is an issued proof. The token itself is not stored.
type Proof struct {
	JTI      string            `json:"jti"`
	Project  string            `json:"project"`
	Incident engine.IncidentID `json:"incident_id"`
	Effect   engine.EffectID   `json:"effect_id"`
	// Issuer is the base URL that the token names.
	Issuer string `json:"issuer"`
	// Audience is a note on who the proof is for. Erasing a customer clears it.
	Audience  string          `json:"audience,omitempty"`
	IssuedBy  engine.Operator `json:"issued_by"`
	IssuedAt  time.Time       `json:"issued_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	RevokedAt time.Time       `json:"revoked_at,omitzero"`
	RevokedBy engine.Operator `json:"revoked_by,omitempty"`
	// HeadSeq and HeadHash are the last sealed entry when the proof was issued.
	HeadSeq  int       `json:"head_seq"`
	HeadHash Hash      `json:"head_hash" doc:"In base64url without padding, as the token has it."`
	Views    int       `json:"views"`
	LastView time.Time `json:"last_view,omitzero"`
}

// Live reports whether the proof is valid at a given time: neither expired nor revoked.
func (p Proof) Live(at time.Time) bool {
	return p.RevokedAt.IsZero() && !at.Before(p.IssuedAt) && at.Before(p.ExpiresAt)
}

// ProofRequest describes a new proof.
type ProofRequest struct {
	Incident engine.IncidentID
	// Project limits the incident to one project; "" is any.
	Project string
	// For is how long the proof is valid, in whole seconds: 7 days by default, at most 90.
	For time.Duration
	// Audience is a note on who it is for, at most 255 bytes. The customer does not see it.
	Audience string
	// By is the issuing operator, for the timeline and the audit log.
	By engine.Operator
	// Issuer is the base URL that the token names.
	Issuer string
}

// ProofClaims are the claims of the token.
type ProofClaims struct {
	Issuer              string
	Incident            engine.IncidentID
	JTI                 string
	IssuedAt, ExpiresAt time.Time
	HeadSeq             int
	HeadHash            []byte
}

// Issue seals the incident's timeline, records a proof of its head, and returns the token that sign
// creates from the claims. It calls sign inside the one transaction, so an error of sign leaves
// nothing behind. It returns [engine.ErrNotFound] if the incident does not exist.
func (p *Proofs) Issue(
	ctx context.Context,
	r ProofRequest,
	sign func(ProofClaims) (token string, err error),
) (Proof, string, error) {
	if r.For == 0 {
		r.For = DefaultProofLife
	}
	if err := r.check(); err != nil {
		return Proof{}, "", err
	}
	params := dbsqlc.ProofIssueParams{
		IncidentID: string(r.Incident), Issuer: r.Issuer, Audience: pg.Optional(r.Audience),
		Lifetime: pg.Interval(r.For.Truncate(time.Second)), Operator: string(r.By), Project: pg.Optional(r.Project),
	}
	var proof Proof
	var token string
	err := p.db.InTx(ctx, func(tx pgx.Tx) error {
		row, err := p.db.Queries.ProofIssue(ctx, tx, params)
		if errors.Is(err, pgx.ErrNoRows) {
			return store.NotFound("incident %s", r.Incident)
		}
		if err != nil {
			return err
		}
		token, err = sign(ProofClaims{
			Issuer: r.Issuer, Incident: r.Incident, JTI: row.Jti, IssuedAt: row.IssuedAt, ExpiresAt: row.ExpiresAt,
			HeadSeq: row.HeadSeq, HeadHash: row.HeadHash,
		})
		if err != nil {
			return err
		}
		proof, err = p.get(ctx, tx, row.Jti)
		return err
	})
	if err != nil {
		return Proof{}, "", err
	}
	return proof, token, nil
}

func (r ProofRequest) check() error {
	switch {
	case input.UUID(string(r.Incident)) != "":
		return &engine.FieldError{Field: "incident", Reason: input.NotAnID}
	case r.For < time.Second || r.For > MaxProofLife:
		return &engine.FieldError{Field: "for", Reason: "must be between 1 second and 90 days"}
	case r.By == "":
		return &engine.FieldError{Field: "by", Reason: "is empty: say who issues the proof"}
	case r.Issuer == "":
		return &engine.FieldError{Field: "issuer", Reason: "is empty: set the base URL"}
	}
	for _, text := range []struct{ field, value string }{
		{"audience", r.Audience},
		{"by", string(r.By)},
		{"issuer", r.Issuer},
		{"project", r.Project},
	} {
		if err := store.Invalid(text.field, input.Text(text.value, input.NameLimit)); err != nil {
			return err
		}
	}
	return nil
}

// Get returns one proof, or [engine.ErrNotFound].
func (p *Proofs) Get(ctx context.Context, jti string) (Proof, error) {
	return p.get(ctx, p.db.Pool, jti)
}

func (p *Proofs) get(ctx context.Context, db dbsqlc.DBTX, jti string) (Proof, error) {
	if input.UUID(jti) != "" {
		return Proof{}, store.NotFound("proof")
	}
	row, err := p.db.Queries.ProofGet(ctx, db, jti)
	if errors.Is(err, pgx.ErrNoRows) {
		return Proof{}, store.NotFound("proof %s", jti)
	}
	if err != nil {
		return Proof{}, err
	}
	return newProof(row.Project, row.Proof), nil
}

// ProofFilter selects proofs that match all its fields; a zero field matches all.
type ProofFilter struct {
	Project  string
	Incident engine.IncidentID
	// Before is the Next of the page before this one.
	Before string
	// Limit is the page size: 50 by default, at most 500.
	Limit int
}

// ProofPage is one page of proofs, newest first.
type ProofPage struct {
	Proofs []Proof `json:"proofs"`
	// Next is the Before of the next page; it is empty on the last page.
	Next string `json:"next"`
}

// List returns one page of issued proofs, newest first.
func (p *Proofs) List(ctx context.Context, f ProofFilter) (ProofPage, error) {
	params := dbsqlc.ProofListParams{
		Project:    pg.Optional(f.Project),
		IncidentID: pg.Optional(string(f.Incident)),
		Before:     f.Before,
		Page:       f.Limit + 1,
	}
	if f.Limit == 0 {
		params.Page = 51
	}
	if f.Before == "" {
		params.Before = input.LastID
	}
	switch {
	case f.Limit < 0 || f.Limit > 500:
		return ProofPage{}, &engine.FieldError{Field: "limit", Reason: "must be between 1 and 500"}
	case input.UUID(params.Before) != "":
		return ProofPage{}, &engine.FieldError{Field: "before", Reason: input.NotAnID}
	case f.Incident != "" && input.UUID(string(f.Incident)) != "":
		return ProofPage{}, &engine.FieldError{Field: "incident", Reason: input.NotAnID}
	}
	if f.Project != "" {
		if _, err := p.projects.ID(ctx, f.Project); err != nil {
			return ProofPage{}, err
		}
	}
	rows, err := p.db.Queries.ProofList(ctx, p.db.Pool, params)
	page := ProofPage{Proofs: []Proof{}}
	if len(rows) == params.Page {
		rows = rows[:len(rows)-1]
		page.Next = rows[len(rows)-1].Proof.Jti
	}
	for _, row := range rows {
		page.Proofs = append(page.Proofs, newProof(row.Project, row.Proof))
	}
	return page, err
}

// Revoke ends a proof at once and permanently. Revoking it again changes nothing. It returns
// [engine.ErrNotFound] if the proof does not exist.
func (p *Proofs) Revoke(ctx context.Context, jti string, by engine.Operator) (Proof, error) {
	if input.UUID(jti) != "" {
		return Proof{}, &engine.FieldError{Field: "jti", Reason: input.NotAnID}
	}
	if _, err := p.db.Queries.ProofRevoke(
		ctx,
		p.db.Pool,
		dbsqlc.ProofRevokeParams{Jti: jti, Operator: string(by)},
	); errors.Is(
		err,
		pgx.ErrNoRows,
	) {
		return Proof{}, store.NotFound("proof %s", jti)
	} else if err != nil {
		return Proof{}, err
	}
	return p.Get(ctx, jti)
}

// CountView records that a proof's page was opened.
func (p *Proofs) CountView(ctx context.Context, jti string) error {
	if input.UUID(jti) != "" {
		return nil
	}
	return p.db.Queries.ProofCountView(ctx, p.db.Pool, jti)
}

func newProof(project string, p dbsqlc.Proof) Proof {
	return Proof{
		JTI: p.Jti, Project: project, Incident: engine.IncidentID(p.IncidentID), Effect: engine.EffectID(p.EffectID), Issuer: p.Issuer,
		Audience: pg.Value(p.Audience), IssuedBy: engine.Operator(p.IssuedBy), IssuedAt: p.IssuedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
		RevokedAt: moment(p.RevokedAt), RevokedBy: engine.Operator(pg.Value(p.RevokedBy)), HeadSeq: p.HeadSeq, HeadHash: p.HeadHash,
		Views: p.Views, LastView: moment(p.LastView),
	}
}

func moment(p *time.Time) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.UTC()
}
