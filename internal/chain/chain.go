// Package chain computes the hashes of timeline entries as docs/proof-format.md specifies. It does
// not use the database's functions: anyone who can alter rows can replace those too.
package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Entry is the input of one hash. At is in microseconds since 1970, as decimal text. A missing
// value is nil.
type Entry struct {
	Seq          int
	Kind, At     string
	State, Cause *string
	Provider     string
	EventType    *string
	Effect       string
	EffectID     string
	// Fields are the names of the hidden fields; Commitments replace their values.
	Fields      []string
	Commitments [][]byte
}

// Field is a hidden field with its value.
type Field struct {
	Name  string
	Value []byte
}

// Start is the hash before the first entry.
func Start() []byte { return make([]byte, sha256.Size) }

// Hash returns the chain's head after the entry.
func (e Entry) Hash(previous []byte) []byte {
	out := bytes.Clone(previous)
	for _, value := range []*string{
		text("sendpromptly.entry.v1"), text(strconv.Itoa(e.Seq)), &e.Kind, &e.At, e.State, e.Cause,
		&e.Provider, e.EventType, &e.Effect, &e.EffectID,
	} {
		if value == nil {
			out = appendPrefixed(out, nil)
			continue
		}
		out = appendPrefixed(out, append([]byte{}, *value...))
	}
	for i, name := range e.Fields {
		out = appendPrefixed(out, []byte(name))
		out = appendPrefixed(out, e.Commitments[i])
	}
	sum := sha256.Sum256(out)
	return sum[:]
}

// FieldSalt derives the salt of one field of one entry. It reveals no other salt.
func FieldSalt(effectSalt []byte, seq int, name string) []byte {
	in := bytes.Clone(effectSalt)
	in = binary.BigEndian.AppendUint64(in, uint64(seq)) //nolint:gosec // seq counts from 1
	sum := sha256.Sum256(append(in, name...))
	return sum[:]
}

// Commit returns the commitment that replaces a value in a hash.
func Commit(fieldSalt, value []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(fieldSalt), value...))
	return sum[:]
}

// Prefixed returns a value with its length before it.
func Prefixed(value string) []byte { return appendPrefixed(nil, append([]byte{}, value...)) }

// appendPrefixed writes a value with its length before it, -1 for nil.
func appendPrefixed(to, value []byte) []byte {
	if value == nil {
		return append(to, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(to, uint32(len(value))), value...) //nolint:gosec // far below 4 GiB
}

func text(s string) *string { return &s }
