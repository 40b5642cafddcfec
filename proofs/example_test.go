package proofs_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs"
)

const issuer = "https://ops.example.com"

// newKeys makes a folder with one key and reads it.
func newKeys() (*proofs.Keys, error) {
	folder, err := os.MkdirTemp("", "keys")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if _, err := proofs.Folder(folder).New(); err != nil {
		return nil, err
	}
	return proofs.LoadKeys(folder)
}

// newGrant is for the timeline of one incident up to its third entry, for a week.
func newGrant() proofs.Grant {
	now := time.Now().UTC().Truncate(time.Second)
	return proofs.Grant{
		Issuer:    issuer,
		Incident:  "01a20a17-009a-71c6-8eae-a46dc2e0fc74",
		ID:        "01a20a17-0fff-7abc-8def-0123456789ab",
		IssuedAt:  now,
		ExpiresAt: now.Add(7 * 24 * time.Hour),
		Head:      proofs.Head{Seq: 3, Hash: [32]byte{1}},
	}
}

func ExampleSigner_Sign() {
	keys, err := newKeys()
	if err != nil {
		log.Fatal(err)
	}
	token, err := keys.Signer().Sign(newGrant())
	if err != nil {
		log.Fatal(err)
	}
	base, _, isLink := proofs.SplitLink(proofs.Link(issuer, token))
	fmt.Println(base, isLink)
	// Output: https://ops.example.com true
}

func ExampleVerifier_Verify() {
	keys, err := newKeys()
	if err != nil {
		log.Fatal(err)
	}
	token, err := keys.Signer().Sign(newGrant())
	if err != nil {
		log.Fatal(err)
	}
	// Whoever checks it needs the public keys alone.
	public, err := proofs.ParseKeys(keys.JWKS())
	if err != nil {
		log.Fatal(err)
	}
	verifier := proofs.NewVerifier(public, issuer)
	grant, err := verifier.Verify(token, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("incident", grant.Incident, "up to entry", grant.Head.Seq)

	_, err = verifier.Verify(token, grant.ExpiresAt)
	var refusal *proofs.Refusal
	fmt.Println("when it has ended:", errors.As(err, &refusal), refusal.Reasons)
	// Output:
	// incident 01a20a17-009a-71c6-8eae-a46dc2e0fc74 up to entry 3
	// when it has ended: true [expired]
}
