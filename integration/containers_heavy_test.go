package integration

import (
	"os"
	"testing"
)

// The races at full size (20,000 receipts whose outcomes come within 10 ms of their deadlines) and the plans on a
// million rows, which would make the daily suite slow.
func TestTheHeavyFormsOfTheEngineSuite(t *testing.T) {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		t.Skip("DATABASE_URL is not set: run it by make integration")
	}
	heavy := []string{"SENDPROMPTLY_HEAVY=1", "SENDPROMPTLY_PLAN_ROWS=1000000"}
	runEngineSuite(
		t,
		url,
		heavy,
		"-timeout=15m",
		"-run=TestOutcomesAtTheirDeadlines|TestPlansUseTheirIndex|TestCallersAtEveryIsolationLevel|"+
			"TestEverybodyAtOnce|TestEnginesThatMeet|TestAReaderThatReconnects",
	)
}
