package evidence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Chains are the hash chains of all timelines.
type Chains struct{ db *store.DB }

// NewChains opens only the chains.
func NewChains(db *store.DB) *Chains { return &Chains{db: db} }

// ChainReport is the result of [Chains.Verify].
type ChainReport struct {
	OK bool `json:"ok"`
	// Chains, Entries and Proofs count what was checked.
	Chains  int `json:"chains"`
	Entries int `json:"entries"`
	Proofs  int `json:"proofs"`
	// Findings has at most 1,000 findings; Found counts all.
	Found    int            `json:"found"`
	Findings []ChainFinding `json:"findings"`
}

const (
	chainPage   = 200
	maxFindings = 1000
)

// Verify computes every chain again, read-only, and compares it with its head and with the heads of
// issued proofs: a proof reveals a chain that was cut and sealed again. The hashes are computed
// here, not by the database's functions. Each page of 200 chains is one short transaction.
func (cs *Chains) Verify(ctx context.Context) (ChainReport, error) {
	return cs.verify(ctx, func(page func(dbsqlc.DBTX) error) error {
		options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		return pgx.BeginTxFunc(ctx, cs.db.Pool, options, func(tx pgx.Tx) error { return page(tx) })
	})
}

// VerifyWithin is Verify in the caller's snapshot.
func (cs *Chains) VerifyWithin(ctx context.Context, tx pgx.Tx) (ChainReport, error) {
	return cs.verify(ctx, func(page func(dbsqlc.DBTX) error) error { return page(tx) })
}

// verify reads page after page, each in a transaction that in provides.
func (cs *Chains) verify(ctx context.Context, in func(page func(dbsqlc.DBTX) error) error) (ChainReport, error) {
	report := ChainReport{Findings: []ChainFinding{}}
	after := dbsqlc.ChainListParams{EffectID: "00000000-0000-0000-0000-000000000000", Page: chainPage}
	for more := true; more; {
		err := in(func(db dbsqlc.DBTX) error {
			names, err := cs.projectNames(ctx, db)
			if err != nil {
				return err
			}
			chains, err := cs.db.Queries.ChainList(ctx, db, after)
			if err != nil {
				return err
			}
			more = len(chains) == chainPage
			for project, effects := range byProject(chains) {
				if err := cs.verifyPage(ctx, db, &report, project, names[project], effects); err != nil {
					return err
				}
			}
			if len(chains) > 0 {
				after.ProjectID, after.EffectID = chains[len(chains)-1].ProjectID, chains[len(chains)-1].EffectID
			}
			return nil
		})
		if err != nil {
			return report, err
		}
	}
	report.OK = report.Found == 0
	return report, nil
}

func byProject(chains []dbsqlc.ChainListRow) map[int][]dbsqlc.ChainListRow {
	grouped := map[int][]dbsqlc.ChainListRow{}
	for _, c := range chains {
		grouped[c.ProjectID] = append(grouped[c.ProjectID], c)
	}
	return grouped
}

// verifyPage verifies some chains of one project.
func (cs *Chains) verifyPage(
	ctx context.Context,
	db dbsqlc.DBTX,
	report *ChainReport,
	project int,
	name string,
	chains []dbsqlc.ChainListRow,
) error {
	ids := make([]string, len(chains))
	for i, c := range chains {
		ids[i] = c.EffectID
	}
	rows, err := cs.db.Queries.SealList(ctx, db, dbsqlc.SealListParams{ProjectID: project, EffectIds: ids})
	if err != nil {
		return err
	}
	proofs, err := cs.db.Queries.ProofHeadList(ctx, db, dbsqlc.ProofHeadListParams{ProjectID: project, EffectIds: ids})
	if err != nil {
		return err
	}
	sealed, proven := map[string][]dbsqlc.SealListRow{}, map[string][]dbsqlc.ProofHeadListRow{}
	for _, row := range rows {
		sealed[row.EffectID] = append(sealed[row.EffectID], row)
	}
	for _, p := range proofs {
		proven[p.EffectID] = append(proven[p.EffectID], p)
	}
	for _, c := range chains {
		good, found := walk(c, sealed[c.EffectID])
		for _, p := range proven[c.EffectID] {
			if !good.proves(p.HeadSeq, p.HeadHash) {
				found = append(found, ChainFinding{
					EffectID: c.EffectID, Seq: p.HeadSeq, Kind: FindingProof, JTI: p.Jti,
					Problem: fmt.Sprintf("the %d entries that proof %s was issued for have changed", p.HeadSeq, p.Jti),
				})
			}
		}
		for i := range found {
			found[i].Project = name
		}
		report.Found += len(found)
		report.Findings = append(report.Findings, found[:min(len(found), maxFindings-len(report.Findings))]...)
	}
	report.Chains += len(chains)
	report.Entries += len(rows)
	report.Proofs += len(proofs)
	return nil
}

func (cs *Chains) projectNames(ctx context.Context, db dbsqlc.DBTX) (map[int]string, error) {
	rows, err := cs.db.Queries.ProjectList(ctx, db)
	names := map[int]string{}
	for _, row := range rows {
		names[row.Project.ProjectID] = row.Project.Name
	}
	return names, err
}

// StillProven computes the chain of a proof's incident again and reports whether the entries up to
// the proof's head are unchanged since it was issued.
func (cs *Chains) StillProven(ctx context.Context, p Proof) (bool, error) {
	c, rows, err := cs.chainOf(ctx, p.Incident)
	if errors.Is(err, engine.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	good, _ := walk(c, rows)
	return good.proves(p.HeadSeq, p.HeadHash), nil
}

// chainOf reads the chain of one incident in one snapshot.
func (cs *Chains) chainOf(
	ctx context.Context,
	incident engine.IncidentID,
) (c dbsqlc.ChainListRow, rows []dbsqlc.SealListRow, err error) {
	if err := store.Invalid("incident", input.UUID(string(incident))); err != nil {
		return c, nil, err
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, cs.db.Pool, options, func(tx pgx.Tx) error {
		at, err := cs.db.Queries.IncidentEffect(ctx, tx, string(incident))
		if errors.Is(err, pgx.ErrNoRows) {
			return store.NotFound("incident %s", incident)
		}
		if err != nil {
			return err
		}
		c = dbsqlc.ChainListRow{ProjectID: at.ProjectID, EffectID: at.EffectID}
		row, err := cs.db.Queries.ChainGet(ctx, tx, dbsqlc.ChainGetParams(at))
		if err == nil {
			c.Present, c.Salt, c.Seq, c.Erased, c.Hash = true, row.Chain.Salt, row.Chain.Seq, row.Chain.Erased, row.Chain.Hash
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		rows, err = cs.db.Queries.SealList(ctx, tx,
			dbsqlc.SealListParams{ProjectID: at.ProjectID, EffectIds: []string{at.EffectID}})
		return err
	})
	return c, rows, err
}
