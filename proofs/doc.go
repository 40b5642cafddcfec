// Package proofs makes and checks proofs: signed links to the timeline of one
// incident, and bundles that carry the timeline along. Anybody who has the
// public keys can check both without us; docs/proof-format.md says how.
//
// Who has the keys checks a link, a token or a bundle:
//
//	keys, err := proofs.ParseKeys(jwks)
//	…
//	grant, err := proofs.NewVerifier(keys, "https://ops.example.com").VerifyText(link, time.Now())
//
// An error is a [*Refusal] with its reasons; the grant says which incident it is,
// and up to which entry of its timeline it is proven.
//
// The package knows no database. Whether a proof was revoked, and what the
// timeline holds now, is for the caller to look up after the signature.
package proofs
