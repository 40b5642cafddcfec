package proofs

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// Entry is a sealed entry of a timeline, with all values that its hash covers.
type Entry struct {
	// Seq is the number of the entry, from 1.
	Seq  int
	Kind string
	// At is in whole microseconds.
	At time.Time
	// State, Cause and EventType may be empty.
	State, Cause                string
	Provider, EventType, Effect string
	EffectID                    string
	// Fields are the hidden fields, in their fixed order.
	Fields []Field
	// Hash is the head of the chain at this entry.
	Hash [32]byte
}

// Field is a hidden field. The entry's hash covers its commitment, not its value.
// For a disclosed field, the commitment is computed from salt and value.
type Field struct {
	Name string
	// Commitment is set if the field is not disclosed.
	Commitment [32]byte
	// Disclosed says that Salt and Value are set.
	Disclosed bool
	Salt      [32]byte
	Value     []byte
}

// commitment returns the field's commitment, computed if the field is disclosed.
func (f Field) commitment() [32]byte {
	if !f.Disclosed {
		return f.Commitment
	}
	return sha256.Sum256(append(f.Salt[:], f.Value...))
}

// entryLabel separates the hash of an entry from every other kind of hash.
const entryLabel = "sendpromptly.entry.v1"

// HashAfter computes the entry's hash from the hash of the previous entry. For the
// first entry, previous is 32 zero bytes.
func (e Entry) HashAfter(previous [32]byte) [32]byte {
	input := append([]byte(nil), previous[:]...)
	for _, clear := range []string{
		entryLabel, strconv.Itoa(e.Seq), e.Kind, strconv.FormatInt(e.At.UnixMicro(), 10), e.State, e.Cause,
		e.Provider, e.EventType, e.Effect, e.EffectID,
	} {
		input = appendText(input, clear)
	}
	for _, f := range e.Fields {
		commitment := f.commitment()
		input = appendPrefixed(appendText(input, f.Name), commitment[:])
	}
	return sha256.Sum256(input)
}

// appendText appends a text with its length, or a marker for an empty text.
func appendText(to []byte, text string) []byte {
	if text == "" {
		return append(to, 0xff, 0xff, 0xff, 0xff)
	}
	return appendPrefixed(to, []byte(text))
}

func appendPrefixed(to, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(value))), value...)
}

// VerifyChain requires that entries end in head. They must be all entries from the first
// to the head, unaltered and in order. The error is a [*Refusal].
func VerifyChain(entries []Entry, head Head) error {
	previous := [32]byte{}
	for i, e := range entries {
		switch {
		case e.Seq != i+1:
			return refuse(EntriesMissing, fmt.Sprintf("entry %d is missing or out of order", i+1))
		case e.EffectID != entries[0].EffectID:
			return refuse(EntryAltered, fmt.Sprintf("entry %d is of another effect", i+1))
		}
		if previous = e.HashAfter(previous); previous != e.Hash {
			return refuse(EntryAltered, fmt.Sprintf("entry %d was altered", i+1))
		}
	}
	switch {
	case len(entries) < head.Seq:
		return refuse(EntriesMissing, fmt.Sprintf("%d entries of %d", len(entries), head.Seq))
	case len(entries) > head.Seq || previous != head.Hash:
		return refuse(HeadMismatch, "the entries do not match the proof")
	}
	return nil
}
