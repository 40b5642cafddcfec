// Package secretbox encrypts secrets and payload snapshots for storage: AES-256-GCM with a random
// 96-bit nonce before the text, bound to its owner.
package secretbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// Box encrypts and decrypts with one key.
type Box struct{ aead cipher.AEAD }

// ErrOpen means that a sealed value was encrypted with another key or for another owner, or was
// altered.
var ErrOpen = errors.New("the value cannot be decrypted with this secret key")

// New creates a box from a key of 32 bytes in base64.
func New(key string) (*Box, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("must be 32 bytes in base64: make one with openssl rand -base64 32")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead}, nil
}

// Seal encrypts plain for owner; Open needs the same owner.
func (b *Box) Seal(plain []byte, owner string) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plain)+b.aead.Overhead())
	rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return b.aead.Seal(nonce, nonce, plain, []byte(owner))
}

// Open decrypts what Seal made for the same owner, or returns [ErrOpen].
func (b *Box) Open(sealed []byte, owner string) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("%w: too short", ErrOpen)
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(owner))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// CallbackSecretOwner binds a sealed callback secret to its project.
func CallbackSecretOwner(projectID int) string {
	return "callback_secret\x00" + strconv.Itoa(projectID)
}

// AlertOwner binds an alert destination to its project and channel.
func AlertOwner(projectID int, channel, part string) string {
	return "alert\x00" + strconv.Itoa(projectID) + "\x00" + channel + "\x00" + part
}
