package actions_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/actions"
)

// Every refusal that the SQL functions give has its words, and there are no words for others.
func TestEveryRefusalOfTheFunctionsHasItsReason(t *testing.T) {
	sql, err := os.ReadFile("../../sql/functions/actions.sql")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, decision := range regexp.MustCompile(`(?s)refusal := CASE(.*?)END;`).FindAllStringSubmatch(string(sql), -1) {
		for line := range strings.SplitSeq(decision[1], "\n") {
			answers := regexp.MustCompile(`(?:THEN|ELSE) '(\w+)'`).FindAllStringSubmatch(line, -1)
			if strings.HasSuffix(line, "THEN state") { // the states that the line lists
				answers = regexp.MustCompile(`'(\w+)'`).FindAllStringSubmatch(line, -1)
			}
			for _, answer := range answers {
				given[answer[1]] = true
			}
		}
	}
	if len(given) < 8 {
		t.Fatalf("only %v were found", given)
	}
	for code := range given {
		if code != "not_found" && actions.Reasons[code] == "" {
			t.Errorf("%s has no reason", code)
		}
	}
	for code := range actions.Reasons {
		if !given[code] {
			t.Errorf("no function gives %s", code)
		}
	}
	if n := strings.Count(string(sql), "refusal :="); n != 7 {
		t.Errorf("%d decisions, want 7: say here what the new one is", n)
	}
}
