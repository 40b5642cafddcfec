package api_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/readme"
)

// The commands of docs/admin-api.md get the statuses that it says, in its order.
func TestTheDocumentedCommandsWork(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	text := fine[[]byte](t)(os.ReadFile("../../../docs/admin-api.md"))
	ran := 0
	for _, block := range readme.Blocks(string(text)) {
		want, marked := strings.CutPrefix(block.Mark, "curl: ")
		if !marked {
			continue
		}
		ran++
		within, status := time.Minute, ` -w "\n%{http_code}"`
		if want == "stream" {
			within, status = 3*time.Second, ""
		}
		ctx, cancel := context.WithTimeout(t.Context(), within)
		command := exec.CommandContext(ctx, "sh", "-c", strings.Replace(block.Text, "curl ", "exec curl"+status+" ", 1))
		command.Env = append(
			command.Environ(),
			"BASE="+d.server.URL+apiRoot,
			"TOKEN="+d.tokens["operator"],
			"INCIDENT="+string(d.incidents["default"].ID),
		)
		out, err := command.Output()
		cancel()
		switch {
		case want == "stream":
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !strings.Contains(string(out), "event: incident\ndata: {") {
				t.Errorf("line %d: %v: %s", block.Line, err, out)
			}
		case err != nil || !strings.HasSuffix(string(out), "\n"+want):
			t.Errorf("line %d: want %s: %v: %s", block.Line, want, err, out)
		}
	}
	if ran < 7 {
		t.Errorf("only %d commands", ran)
	}
}
