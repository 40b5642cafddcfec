package evidence_test

import (
	"encoding/json"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

func TestAHashIsTextInBase64URL(t *testing.T) {
	t.Parallel()
	h := evidence.Hash{0xfb, 0xff, 0xfe, 1}
	text, err := json.Marshal(h)
	if err != nil || string(text) != `"-__-AQ"` {
		t.Fatalf("%s, %v", text, err)
	}
	var again evidence.Hash
	if err := json.Unmarshal(text, &again); err != nil || again.String() != h.String() {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range []string{`"+//+AQ=="`, `"-__-AQ=="`, `"-__-AR"`, `"é"`} {
		if err := json.Unmarshal([]byte(bad), &again); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
