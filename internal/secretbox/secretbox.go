// Package secretbox seals secrets and payload snapshots for rest: AES-256-GCM
// with a random 96-bit nonce in front, bound to what it belongs to.
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

// Box seals and opens with one key.
type Box struct{ aead cipher.AEAD }

// ErrOpen means that a sealed value is not this key's, was altered, or belongs
// to something else.
var ErrOpen = errors.New("the value does not open with this secret key")

// New makes a box from 32 bytes in base64.
func New(key string) (*Box, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("want 32 bytes in base64 (openssl rand -base64 32)")
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

// Seal encrypts plain; owner must be given again to open it.
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

// AlertOwner binds where a project's alerts go to its project and channel.
func AlertOwner(projectID int, channel, part string) string {
	return "alert\x00" + strconv.Itoa(projectID) + "\x00" + channel + "\x00" + part
}
