// Package id makes and checks UUIDs in their text form.
package id

import (
	"crypto/rand"
	"encoding/hex"
)

// zero is no effect's and no incident's.
const zero = "00000000-0000-0000-0000-000000000000"

// New makes a random UUID (version 4).
func New() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Valid says whether s is a UUID with dashes, in any case, and not all zero.
func Valid(s string) bool {
	if len(s) != 36 || s == zero {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexadecimal := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hexadecimal {
			return false
		}
	}
	return true
}
