package ingest_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/internal/readme"
)

// The examples of docs/ingest-api.md are run in their order; each answer must
// be the document's, but for ids and times.
func TestTheDocumentsExamplesAnswerWhatTheySay(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	text, err := os.ReadFile("../../../docs/ingest-api.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := readme.Blocks(string(text))
	ran := 0
	for i, block := range blocks {
		if block.Language != "sh" || block.Mark != "run" {
			continue
		}
		ran++
		command := exec.CommandContext(t.Context(), "sh", "-c", block.Text)
		command.Env = append(command.Environ(), "SENDPROMPTLY_URL="+s.url, "SENDPROMPTLY_KEY="+s.keys["default"])
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("line %d: %v\n%s", block.Line, err, out)
		}
		if i+1 == len(blocks) || blocks[i+1].Language != "json" {
			t.Fatalf("line %d: the answer does not follow", block.Line)
		}
		if got, want := blurred(string(out)), blurred(blocks[i+1].Text); got != want {
			t.Errorf("line %d: answered %s\nthe document says %s", block.Line, got, want)
		}
	}
	if ran != 4 {
		t.Errorf("%d examples ran", ran)
	}
	s.db.RequireSound()
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
)

// blurred takes out what differs from run to run.
func blurred(answer string) string {
	return strings.TrimSpace(anyTime.ReplaceAllString(anyID.ReplaceAllString(answer, "ID"), "TIME"))
}
