// Package proofs makes and checks proofs: signed links to the timeline of one
// incident, and bundles that contain the timeline. Anyone who has the public keys
// can check both offline; docs/proof-format.md says how.
//
// To check a link, a token or a bundle with the keys:
//
//	keys, err := proofs.ParseKeys(jwks)
//	…
//	grant, err := proofs.NewVerifier(keys, "https://ops.example.com").VerifyText(link, time.Now())
//
// An error is a [*Refusal] with its reasons. The grant names the incident and the
// last entry of its timeline that the proof covers.
//
// The package does not use a database. After the signature, the caller must check
// there whether the proof was revoked, and whether the timeline was altered.
package proofs
