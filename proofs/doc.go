// Package proofs makes and checks proofs: signed links to the timeline of one
// incident, and bundles that carry the timeline along. Anybody who has the
// public keys can check both without us; docs/proof-format.md says how.
//
// The package knows no database. Whether a proof was revoked, and what the
// timeline holds now, is for the caller to look up after the signature.
package proofs
