package api_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
)

var update = flag.Bool("update", false, "write openapi.json anew from the operations")

const committed = "../../openapi.json"

func TestTheCommittedSpecIsWhatTheServerServes(t *testing.T) {
	t.Parallel()
	have := api.Spec()
	if *update {
		if err := os.WriteFile(committed, have, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(committed)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("openapi.json is not what the operations say (%v): run make generate", err)
	}
}
