package jws

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Sign makes a token with the header alg, kid and typ. It verifies the token before
// it returns it.
func Sign(key Key, typ string, payload []byte) (string, error) {
	if key.signer == nil {
		return "", errors.New("the key has no private half")
	}
	var options jose.SignerOptions
	options.WithType(jose.ContentType(typ)).WithHeader(jose.HeaderKey("kid"), key.ID())
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: cryptosigner.Opaque(key.signer)}, &options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", err
	}
	message, err := Parse(token, typ)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(message.Payload, payload) {
		return "", errors.New("the signed token has another payload")
	}
	if err := message.Verify(key); err != nil {
		return "", errors.New("the signer's signature does not verify with its public key")
	}
	return token, nil
}

// ErrSignature means that the key does not verify the message's signature.
var ErrSignature = errors.New("the signature does not verify")

// Verify checks the signature with a key that the caller trusts. It never uses a key
// from the message and fetches nothing. The error is [ErrSignature].
func (m Message) Verify(key Key) error {
	parsed, err := jose.ParseSignedCompact(m.token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return ErrSignature
	}
	payload, err := parsed.Verify(key.public)
	if err != nil || !bytes.Equal(payload, m.Payload) {
		return ErrSignature
	}
	return nil
}
