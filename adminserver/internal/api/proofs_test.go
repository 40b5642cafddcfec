package api_test

import (
	"encoding/base64"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// The hash of a head is spelled in one way, that of the token's claims, by which
// the list and the timeline can be compared with it as they are.
func TestTheListAndTheTimelineSpellAHashAsTheTokenDoes(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	id := d.incidents["default"].ID
	var want string
	_, _, err := d.st.Evidence.Proofs.Issue(
		t.Context(),
		evidence.ProofRequest{Incident: id, By: "ada", Issuer: "https://ops.example.com"},
		func(c evidence.ProofClaims) (string, error) {
			want = base64.RawURLEncoding.EncodeToString(c.HeadHash)
			return "token", nil
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	listed, a := get[struct {
		Proofs []struct {
			Head string `json:"head_hash"`
			Seq  int    `json:"head_seq"`
		}
	}](d, call{method: "GET", path: "/proofs", token: "viewer"})
	if len(listed.Proofs) != 1 || listed.Proofs[0].Head != want {
		t.Fatalf("the token says %s, the list %s", want, a.body)
	}
	timeline, a := get[struct {
		Entries []struct {
			Seq  int
			Hash string
		}
	}](d, call{method: "GET", path: "/incidents/" + string(id) + "/timeline", token: "viewer"})
	for _, entry := range timeline.Entries {
		if entry.Seq == listed.Proofs[0].Seq && entry.Hash == want {
			return
		}
	}
	t.Errorf("the token says %s, the timeline %s", want, a.body)
}
