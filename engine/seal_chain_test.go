package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// sealedStory makes one incident with texts of all kinds and seals it.
func sealedStory(t *testing.T, db *enginetest.Database, e *engine.Engine, event string) engine.EffectID {
	t.Helper()
	a := engine.Acceptance{
		Key: key(event), EventType: "invoice.paid", Subject: "acct_ü", Customer: "cus_1", Objects: []string{"in_1", "order-7"},
		Amount: engine.Money{Minor: -5, Currency: "JPY"}, OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
	}
	id := accept(t, db, e, a).EffectID
	accept(t, db, e, a)
	if err := e.Fail(t.Context(), a.Key, errors.New("zażółć 世界"), engine.WithCode("x")); err != nil {
		t.Fatal(err)
	}
	incident, err := enginetest.IncidentOf(t.Context(), e, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CloseIncident(t.Context(), incident.ID, "ada@example.com", "refunded"); err != nil {
		t.Fatal(err)
	}
	// Seal would wait for transactions of other tests on the same server.
	if seq, hash, err := e.SealEffect(t.Context(), id); seq != 5 || len(hash) != 32 || err != nil {
		t.Fatalf("SealEffect = %d, %x, %v", seq, hash, err)
	}
	return id
}

// prefixed and the hash below follow docs/proof-format.md, not the SQL.
func prefixed(value []byte) []byte {
	if value == nil {
		return []byte{0xff, 0xff, 0xff, 0xff}
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(value))), value...)
}

func present(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func microseconds(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }

type hiddenField struct {
	name  string
	value []byte
}

// hidden lists an entry's hidden fields in the order of docs/proof-format.md.
func hidden(i engine.Incident, n engine.Entry) []hiddenField {
	if n.Kind != "receipt" {
		return []hiddenField{
			{"actor", present(string(n.Actor))},
			{"replay_id", present(n.ReplayID)},
			{"error_code", present(n.ErrorCode)},
			{"error_message", present(n.ErrorMessage)},
			{"note", present(n.Note)},
		}
	}
	var objects []byte
	for _, id := range i.Objects {
		objects = append(objects, prefixed([]byte(id))...)
	}
	return []hiddenField{
		{"event_id", []byte(i.EventID)},
		{"subject", present(i.Subject)},
		{"merchant", present(i.Merchant)},
		{"occurred_at", []byte(microseconds(i.OccurredAt))},
		{"deadline", []byte(microseconds(i.Deadline))},
		{"amount", []byte(strconv.FormatInt(i.Amount.Minor, 10))},
		{"currency", present(i.Amount.Currency)},
		{"customer", present(i.Customer)},
		{"version", present(i.Acceptance.Version)},
		{"objects", objects},
		{"source_event", present(i.SourceEvent)},
	}
}

// committed writes one hidden field as it enters the hash.
func committed(salt []byte, seq int, f hiddenField) []byte {
	fieldSalt := sha256.Sum256(slices.Concat(salt, binary.BigEndian.AppendUint64(nil, uint64(seq)), []byte(f.name)))
	commitment := sha256.Sum256(append(fieldSalt[:], f.value...))
	return append(prefixed([]byte(f.name)), prefixed(commitment[:])...)
}

func hashOf(previous, salt []byte, i engine.Incident, n engine.Entry) []byte {
	out := bytes.Clone(previous)
	for _, clear := range []string{
		"sendpromptly.entry.v1", strconv.Itoa(n.Seq), string(n.Kind), microseconds(n.At), string(n.State), string(n.Cause),
		i.Provider, i.EventType, i.Effect, string(i.EffectID),
	} {
		out = append(out, prefixed(present(clear))...)
	}
	for _, f := range hidden(i, n) {
		if f.value == nil {
			continue
		}
		out = append(out, committed(salt, n.Seq, f)...)
	}
	sum := sha256.Sum256(out)
	return sum[:]
}

// An implementation that knows only the documented format computes the same
// hashes as the database.
func TestTheDocumentedFormatGivesTheSameHashes(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	id := sealedStory(t, db, e, "evt_1")
	incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_1"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := e.Timeline(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var salt []byte
	if err := db.Pool.QueryRow(t.Context(), "SELECT c.salt FROM sendpromptly.chains AS c").Scan(&salt); err != nil {
		t.Fatal(err)
	}
	previous := make([]byte, 32)
	for i, entry := range page.Entries {
		if entry.Seq != i+1 {
			t.Fatalf("entry %d has number %d", i, entry.Seq)
		}
		previous = hashOf(previous, salt, incident, entry)
		if !bytes.Equal(previous, entry.Hash) {
			t.Fatalf("entry %d (%s): %x, the database says %x", entry.Seq, entry.Kind, previous, entry.Hash)
		}
	}
	if len(page.Entries) < 5 {
		t.Errorf("only %d entries", len(page.Entries))
	}
}

// Whatever is changed behind the engine's back in what was sealed, verify says so.
func TestTamperingWithSealedEntriesIsFound(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]string{
		"an entry removed":      "DELETE FROM sendpromptly.entries WHERE kind = 'failure'",
		"a note altered":        "UPDATE sendpromptly.entries SET note = 'paid back' WHERE kind = 'closed'",
		"an actor emptied":      "UPDATE sendpromptly.entries SET actor = NULL WHERE kind = 'closed'",
		"a time moved":          "UPDATE sendpromptly.entries SET at = at + interval '1 microsecond' WHERE kind = 'failure'",
		"a state altered":       "UPDATE sendpromptly.entries SET state = 'applied' WHERE kind = 'failure'",
		"a kind altered":        "UPDATE sendpromptly.entries SET kind = 'note' WHERE kind = 'duplicate'",
		"the receipt altered":   "UPDATE sendpromptly.effects SET amount = 500",
		"the receipt's type":    "UPDATE sendpromptly.effects SET event_type = 'invoice.void'",
		"the objects reordered": "UPDATE sendpromptly.effects SET objects = 'order-7' || chr(31) || 'in_1'",
		"the salt exchanged":    "UPDATE sendpromptly.chains SET salt = sha256(salt)",
		"the salt taken away": `WITH x AS (UPDATE sendpromptly.chains SET salt = NULL) UPDATE sendpromptly.entries
			SET note = 'paid back' WHERE kind = 'closed'`,
		"the last seal cut":        "DELETE FROM sendpromptly.seals WHERE seq = (SELECT max(seq) FROM sendpromptly.seals)",
		"a seal in the middle cut": "DELETE FROM sendpromptly.seals WHERE seq = 2",
		"two seals exchanged": `UPDATE sendpromptly.seals SET entry_id = (SELECT sum(s.entry_id) FROM sendpromptly.seals AS s
			WHERE s.seq IN (3, 4)) - entry_id WHERE seq IN (3, 4)`,
		"a commitment altered":      "UPDATE sendpromptly.seals SET commitments[1] = sha256('x') WHERE seq = 3",
		"a hash altered":            "UPDATE sendpromptly.seals SET hash = sha256(hash) WHERE seq = 3",
		"the head altered":          "UPDATE sendpromptly.chains SET hash = sha256(hash)",
		"the head's number altered": "UPDATE sendpromptly.chains SET seq = seq - 1",
		"the chain row removed":     "DELETE FROM sendpromptly.chains",
		"all but the receipt cut":   "WITH cut AS (DELETE FROM sendpromptly.seals WHERE seq > 1) DELETE FROM sendpromptly.entries",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			sealedStory(t, db, db.Engine(engine.Config{}), "evt_1")
			db.RequireSound()
			exec(t, db.Pool, tamper)
			if chainsHold(t, db) {
				t.Errorf("nothing was noticed\n%s", db.Story(key("evt_1")))
			}
		})
	}
}

func chainsHold(t *testing.T, db *enginetest.Database) bool {
	t.Helper()
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Checks.Verify(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range report.Checks {
		if check.ID == "chains" {
			return check.OK
		}
	}
	t.Fatal("no such check")
	return false
}

// An entry that commits after a later one was sealed gets the next number;
// what was sealed keeps its own, and its unsealed tail is legal.
func TestALateEntryIsSealedAfterwards(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	a := engine.Acceptance{Key: key("evt_1")}
	id := accept(t, db, e, a).EffectID
	late, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Accept(t.Context(), late, a); err != nil { // a duplicate's entry, uncommitted
		t.Fatal(err)
	}
	err = pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, a.Key) })
	if err != nil {
		t.Fatal(err)
	}
	seal := fmt.Sprintf("SELECT sendpromptly.seal(1, '%s')", id)
	exec(t, db.Pool, seal)
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.RequireSound()
	exec(t, db.Pool, seal)
	db.RequireSound()
	order := column(
		t,
		db.Pool,
		`SELECT t.kind FROM sendpromptly.seals AS s JOIN sendpromptly.timeline(1, s.effect_id) AS t USING (entry_id) ORDER BY s.seq`,
	)
	if got := strings.Join(order, " "); got != "receipt success duplicate" {
		t.Errorf("sealed in the order %s", got)
	}
}

// The vector of docs/proof-format.md, by the implementation above, which
// another test holds against the database.
func TestTheVectorOfTheFormatHolds(t *testing.T) {
	t.Parallel()
	const want = "6bcffd12ced73ac9bffdf0e0b908f397de156d77af8194e65c00025c51decd9c"
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	salt := bytes.Repeat([]byte{0xab}, 32)
	out := make([]byte, 32)
	for _, clear := range []string{
		"sendpromptly.entry.v1", "1", "receipt", microseconds(at), "awaiting", "", "stripe", "invoice.paid", "credit_grant",
		"01a20a17-009a-71c6-8eae-a46dc2e0fc74",
	} {
		out = append(out, prefixed(present(clear))...)
	}
	for _, f := range []hiddenField{{"event_id", []byte("evt_1")}, {"customer", []byte("cus_ü")}} {
		out = append(out, committed(salt, 1, f)...)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(out)); got != want {
		t.Errorf("hash = %s", got)
	}
	page, err := os.ReadFile("../docs/proof-format.md")
	if err != nil || !bytes.Contains(page, []byte(want)) {
		t.Errorf("docs/proof-format.md does not hold the vector: %v", err)
	}
}
