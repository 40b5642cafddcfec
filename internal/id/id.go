// Package id creates UUIDs in text form; package input checks them.
package id

import (
	"crypto/rand"
	"encoding/hex"
)

// New creates a random UUID (version 4).
func New() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
