package evidence_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// mutation is a statement that changes sealed history behind the engine's back.
type mutation struct {
	sql  string
	args []any
}

// mutator makes random mutations of one of the effects.
type mutator struct {
	*rand.Rand
	effects []string
}

func (m mutator) pick(from ...string) string { return from[m.IntN(len(from))] }

// text is something that no row holds.
func (m mutator) text() string { return fmt.Sprintf("x%x", m.Uint64()) }

// value is a new value for a column of a type.
func (m mutator) value(column string) any {
	switch column {
	case "amount", "status", "duration_ms":
		return 1_000_000 + m.IntN(1_000_000)
	}
	return m.text()
}

func (m mutator) next() mutation {
	effect, place := m.effects[m.IntN(len(m.effects))], m.IntN(8)
	seal := fmt.Sprintf(
		"s.effect_id = $1 AND s.seq = 1 + %d %% (SELECT max(seq) FROM sendpromptly.seals WHERE effect_id = $1)",
		place,
	)
	entry := fmt.Sprintf(
		"n.effect_id = $1 AND n.entry_id = (SELECT s.entry_id FROM sendpromptly.seals AS s WHERE s.effect_id = $1 AND s.entry_id "+
			"> 1 ORDER BY s.seq OFFSET %d LIMIT 1)",
		place%4,
	)
	switch m.IntN(14) {
	case 0, 1:
		column := m.pick(
			"kind",
			"state",
			"cause",
			"actor",
			"replay_id",
			"error_code",
			"error_message",
			"note",
			"url",
			"status",
			"duration_ms",
			"answer",
		)
		return mutation{"UPDATE sendpromptly.entries AS n SET " + column + " = $2 WHERE " + entry, []any{effect, m.value(column)}}
	case 2:
		return mutation{
			fmt.Sprintf("UPDATE sendpromptly.entries AS n SET at = at + %d * interval '1 microsecond' WHERE %s", 1+m.IntN(1e9),
				entry),
			[]any{effect},
		}
	case 3:
		return mutation{"DELETE FROM sendpromptly.entries AS n WHERE " + entry, []any{effect}}
	case 4, 5:
		column := m.pick(
			"provider",
			"effect",
			"event_id",
			"event_type",
			"subject",
			"merchant",
			"currency",
			"customer",
			"version",
			"objects",
			"source_event",
			"amount",
		)
		return mutation{
			"UPDATE sendpromptly.effects SET " + column + " = $2 WHERE effect_id = $1",
			[]any{effect, m.value(column)},
		}
	case 6:
		column := m.pick("accepted_at", "deadline", "occurred_at")
		return mutation{
			fmt.Sprintf(
				"UPDATE sendpromptly.effects SET %s = %s + %d * interval '1 microsecond' WHERE effect_id = $1",
				column,
				column,
				1+m.IntN(1e9),
			),
			[]any{effect},
		}
	case 7:
		return mutation{
			"UPDATE sendpromptly.effects SET " + m.pick("accepted_at", "deadline") + " = 'infinity' WHERE effect_id = $1",
			[]any{effect},
		}
	case 8:
		return mutation{"DELETE FROM sendpromptly.seals AS s WHERE " + seal, []any{effect}}
	case 9:
		change := m.pick(
			"hash = sha256(hash)",
			"fields = fields || 'x'::text",
			"commitments = commitments || sha256('x')",
			"commitments = '{}'",
			"fields = '{}'",
			"entry_id = entry_id + 1",
			"seq = seq + 100",
			"hash = ''",
		)
		if strings.HasSuffix(change, "'{}'") {
			seal += " AND s.fields <> '{}'"
		}
		return mutation{"UPDATE sendpromptly.seals AS s SET " + change + " WHERE " + seal, []any{effect}}
	case 10:
		return mutation{
			"UPDATE sendpromptly.chains SET " + m.pick(
				"hash = sha256(hash)",
				"seq = seq + 1",
				"seq = seq - 1",
				"salt = sha256(salt)",
				"salt = NULL",
				"erased = 1",
				"erased = 100",
			) +
				" WHERE effect_id = $1",
			[]any{effect},
		}
	case 11: // the end cut off, and the head moved back
		return mutation{`WITH cut AS (DELETE FROM sendpromptly.seals AS s WHERE s.effect_id = $1 AND s.seq > 2 RETURNING s.entry_id),
			gone AS (DELETE FROM sendpromptly.entries AS n WHERE n.effect_id = $1 AND n.entry_id IN (SELECT c.entry_id FROM cut AS c))
			UPDATE sendpromptly.chains AS c SET seq = 2, hash = (SELECT s.hash FROM sendpromptly.seals AS s WHERE s.effect_id = $1
			AND s.seq = 2) WHERE c.effect_id = $1`, []any{effect}}
	case 12: // two entries exchanged
		a := 1 + m.IntN(3)
		return mutation{fmt.Sprintf(`UPDATE sendpromptly.seals AS s SET entry_id = o.entry_id%s FROM sendpromptly.seals AS o
			WHERE s.effect_id = $1 AND o.effect_id = $1 AND s.seq IN (%d, %d) AND o.seq = %d - s.seq`, m.pick("", ", fields = "+
			"o.fields, commitments = o.commitments",
			", fields = o.fields, commitments = o.commitments, hash = o.hash"), a, a+1, 2*a+1), []any{effect}}
	}
	return mutation{
		m.pick("DELETE FROM sendpromptly.chains WHERE effect_id = $1", "DELETE FROM sendpromptly.effects WHERE effect_id = $1",
			"DELETE FROM sendpromptly.entries WHERE effect_id = $1", "DELETE FROM sendpromptly.seals WHERE effect_id = $1"),
		[]any{effect},
	}
}

var errUndo = errors.New("undo")

// within runs a mutation in a savepoint, looks, and takes it back.
func within(ctx context.Context, tx pgx.Tx, m mutation, look func(pgx.Tx) error) (changed bool, err error) {
	err = pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error {
		tag, err := sp.Exec(ctx, m.sql, m.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", m.sql, err)
		}
		if changed = tag.RowsAffected() > 0; !changed {
			return errUndo
		}
		if err := look(sp); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return changed, err
}

// Whatever is changed in what was sealed and proven, the walk finds it: 1,200
// random mutations, each in a savepoint.
func TestEveryMutationOfAChainIsFound(t *testing.T) {
	t.Parallel()
	const wanted = 1200
	w := newWorld(t)
	seed := rand.Uint64() //nolint:gosec // printed, to repeat a failure
	m := mutator{Rand: rand.New(rand.NewPCG(seed, 1))}
	for _, event := range []string{"evt_1", "evt_2", "evt_3"} {
		i := w.stranger(event, "someone")
		w.issue(i.ID)
		w.goesOn(i)
		w.issue(i.ID)
		m.effects = append(m.effects, string(i.EffectID))
	}
	w.requireChains()
	kinds, done := map[string]int{}, 0
	err := pgx.BeginFunc(t.Context(), w.db.Pool, func(tx pgx.Tx) error {
		for tries := 0; done < wanted && tries < 3*wanted; tries++ {
			next := m.next()
			changed, err := within(t.Context(), tx, next, func(sp pgx.Tx) error {
				report, err := w.store.Evidence.Chains.VerifyWithin(t.Context(), sp)
				if err == nil && report.OK {
					t.Errorf("seed %d: nothing noticed after %s %v", seed, next.sql, next.args)
				}
				for _, f := range report.Findings {
					kinds[f.Kind]++
					if f.EffectID != next.args[0] {
						t.Errorf("seed %d: blamed %s after %s %v", seed, f.EffectID, next.sql, next.args)
					}
				}
				return err
			})
			if err != nil {
				return err
			}
			if changed {
				done++
			}
		}
		return nil
	})
	if err != nil || done < wanted {
		t.Fatalf("seed %d: %d mutations, %v", seed, done, err)
	}
	for _, kind := range []string{
		evidence.FindingAltered, evidence.FindingMoved, evidence.FindingProof,
		evidence.FindingRemoved, evidence.FindingTruncated,
	} {
		if kinds[kind] == 0 {
			t.Errorf("seed %d: no finding is called %s: %v", seed, kind, kinds)
		}
	}
	t.Logf("%d mutations found as %v", done, kinds)
	w.requireChains()
}

// A chain that was cut and sealed again is consistent in itself; the head that
// was proven tells.
func TestAChainThatWasCutAndSealedAgainContradictsItsProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	p := w.issue(i.ID)
	other := w.issue(w.incident("evt_2").ID)
	w.exec("DELETE FROM sendpromptly.seals WHERE effect_id = $1", i.EffectID)
	w.exec("DELETE FROM sendpromptly.chains WHERE effect_id = $1", i.EffectID)
	w.exec("DELETE FROM sendpromptly.entries WHERE effect_id = $1 AND kind = 'failure'", i.EffectID)
	if _, _, err := w.engine.SealEffect(t.Context(), i.EffectID); err != nil {
		t.Fatal(err)
	}
	report, err := w.store.Evidence.Chains.Verify(t.Context())
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Kind != evidence.FindingProof ||
		report.Findings[0].JTI != p.JTI ||
		report.Findings[0].Project != "default" {
		t.Errorf("%+v, %v", report, err)
	}
	if report.Chains != 2 || report.Proofs != 2 || report.Entries < 4 {
		t.Errorf("looked at %+v", report)
	}
	for proof, want := range map[*evidence.Proof]bool{&p: false, &other: true} {
		if still, err := w.store.Evidence.Chains.StillProven(t.Context(), *proof); still != want || err != nil {
			t.Errorf("StillProven = %v, %v, want %v", still, err, want)
		}
	}
}

// What is found has the name that says what to look for.
func TestAFindingSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	w.goesOn(i)
	seal := func(what string) string {
		return "UPDATE sendpromptly.seals AS s SET " + what + " WHERE s.effect_id = $1"
	}
	erasedWithout := `WITH emptied AS (UPDATE sendpromptly.effects SET subject = '', customer = '', objects = '' WHERE
	effect_id = $1),
		marked AS (UPDATE sendpromptly.chains SET erased = %d WHERE effect_id = $1)
		` + seal(
		"salts = ARRAY(SELECT CASE WHEN f.name <> ALL (ARRAY['subject', 'customer', 'objects']) THEN sha256(c.salt || "+
			"int8send(s.seq) || convert_to(f.name, 'UTF8')) END FROM sendpromptly.chains AS c, unnest(s.fields) WITH ORDINALITY AS "+
			"f(name, n) ORDER BY f.n)",
	)
	for _, c := range []struct{ sql, kind, problem string }{
		{
			"DELETE FROM sendpromptly.entries WHERE effect_id = $1 AND kind = 'failure'", evidence.FindingRemoved,
			"was removed from the timeline",
		},
		{
			"DELETE FROM sendpromptly.seals WHERE effect_id = $1 AND seq = 2", evidence.FindingRemoved,
			"after entry 1 comes entry 3",
		},
		{
			"UPDATE sendpromptly.entries SET at = at + interval '1 s' WHERE effect_id = $1 AND kind = 'opened'",
			evidence.FindingAltered, "was altered",
		},
		{"DELETE FROM sendpromptly.seals WHERE effect_id = $1 AND seq > 2", evidence.FindingTruncated, "ends at entry 2"},
		{fmt.Sprintf(erasedWithout, 1), evidence.FindingAltered, "up to 1 were emptied without an erasure"},
		{fmt.Sprintf(erasedWithout, 4), evidence.FindingAltered, "up to 4 were emptied without an erasure"},
	} {
		t.Run(c.problem, func(t *testing.T) {
			err := pgx.BeginFunc(t.Context(), w.db.Pool, func(tx pgx.Tx) error {
				_, err := within(t.Context(), tx, mutation{c.sql, []any{i.EffectID}}, func(sp pgx.Tx) error {
					report, err := w.store.Evidence.Chains.VerifyWithin(t.Context(), sp)
					if err == nil &&
						(report.Found == 0 || report.Findings[0].Kind != c.kind ||
							!strings.Contains(report.Findings[0].Problem, c.problem)) {
						t.Errorf("%s: %+v, want %s: %s", c.sql, report.Findings, c.kind, c.problem)
					}
					return err
				})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A proof holds no longer where an entry before its head was altered, although
// every stored hash is as it was.
func TestAnAlteredEntryIsNotProven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.incident("evt_1")
	p := w.issue(i.ID)
	w.exec("UPDATE sendpromptly.entries SET at = at + interval '1 s' WHERE kind = 'failure'")
	if still, err := w.store.Evidence.Chains.StillProven(t.Context(), p); still || err != nil {
		t.Errorf("StillProven = %v, %v", still, err)
	}
}

// Pages, projects and chains without anything else.
func TestTheWalkMissesNoChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, _, err := w.store.Projects.Create(t.Context(), "second", projects.Settings{}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	w.exec(
		`SELECT sendpromptly.accept('stripe', 'evt_' || n, 'credit_grant', project => p.name) FROM generate_series(1, 301) AS n, ` +
			`sendpromptly.projects AS p`,
	)
	w.exec(`SELECT sendpromptly.seal(e.project_id, e.effect_id) FROM sendpromptly.effects AS e`)
	report, err := w.store.Evidence.Chains.Verify(t.Context())
	if err != nil || !report.OK || report.Chains != 602 || report.Entries != 602 {
		t.Fatalf("%+v, %v", report, err)
	}
	w.exec(`UPDATE sendpromptly.effects SET amount = 7 WHERE event_id = 'evt_301'`)
	report, err = w.store.Evidence.Chains.Verify(t.Context())
	if err != nil || report.Found != 2 || report.Findings[0].Project == report.Findings[1].Project {
		t.Errorf("%+v, %v", report, err)
	}
}
