package adminserver_test

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/proofs"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// module signs and keeps its private half to itself, as a KMS or HSM does.
type module struct{ private ed25519.PrivateKey }

func (m module) Public() crypto.PublicKey { return m.private.Public() }

func (m module) Sign(_ io.Reader, message []byte, options crypto.SignerOpts) ([]byte, error) {
	return m.private.Sign(nil, message, options)
}

func TestProofsMayBeSignedByAModule(t *testing.T) {
	t.Parallel()
	key, err := jws.NewKey(module{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := proofs.KeysFrom(func() ([]jws.Key, error) { return []jws.Key{key}, nil })
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *adminserver.Config) { c.ProofKeySet = keys })
	e := s.db.Engine(engine.Config{})
	owed := engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"}
	err = pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: owed})
		return err
	})
	if err == nil {
		err = e.Fail(t.Context(), owed, errors.New("no"))
	}
	if err != nil {
		t.Fatal(err)
	}
	incident, err := enginetest.IncidentOf(t.Context(), e, owed)
	if err != nil {
		t.Fatal(err)
	}
	_, link, err := s.server.IssueProof(t.Context(), adminserver.ProofRequest{Incident: incident.ID, By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.get(strings.TrimPrefix(link, s.url)).require(t, 200, "")
	if published := b.get("/.well-known/jwks.json"); !strings.Contains(published.text, key.ID()) {
		t.Errorf("published: %s", published.text)
	}
}
