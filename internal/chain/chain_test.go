package chain

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The vector of docs/proof-format.md.
func TestTheDocumentedVectorHolds(t *testing.T) {
	t.Parallel()
	salt := bytes.Repeat([]byte{0xab}, 32)
	e := Entry{
		Seq:       1,
		Kind:      "receipt",
		At:        "1767323045678901",
		State:     text("awaiting"),
		Provider:  "stripe",
		EventType: text("invoice.paid"),
		Effect:    "credit_grant",
		EffectID:  "01a20a17-009a-71c6-8eae-a46dc2e0fc74",
		Fields:    []string{"event_id", "customer"},
		Commitments: [][]byte{
			Commit(FieldSalt(salt, 1, "event_id"), []byte("evt_1")),
			Commit(FieldSalt(salt, 1, "customer"), []byte("cus_ü")),
		},
	}
	for _, vector := range []struct{ name, got, want string }{
		{
			"commitment of event_id", hex.EncodeToString(e.Commitments[0]),
			"e581c4d3845926dc2a865af4824747aa97466a60aae5e5c28b71a8e54a872740",
		},
		{
			"commitment of customer", hex.EncodeToString(e.Commitments[1]),
			"f705386ff6db7186cb127e298a8b2674a89f54c5d5bcaf136b83a0522245d1c8",
		},
		{"hash", hex.EncodeToString(e.Hash(Start())), "6bcffd12ced73ac9bffdf0e0b908f397de156d77af8194e65c00025c51decd9c"},
	} {
		if vector.got != vector.want {
			t.Errorf("%s = %s, want %s", vector.name, vector.got, vector.want)
		}
	}
}
