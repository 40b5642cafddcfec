package engine_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Each combination of planner settings has its reason in one place.
func TestPlannerSettingsAreOnTheList(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/decisions/0010-planner-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{"": false}
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+=\\w+` ?)+)\\|").FindAllStringSubmatch(string(page), -1) {
		reasons[sorted(strings.Fields(strings.ReplaceAll(row[1], "`", "")))] = false
	}
	for _, function := range column(t, enginetest.New(t).Pool, `SELECT p.proname || ' ' || array_to_string(ARRAY(
			SELECT s FROM unnest(p.proconfig) AS s WHERE s NOT LIKE 'search_path=%'), ' ')
		FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace`) {
		settings := strings.Fields(function)
		list := sorted(settings[1:])
		if _, known := reasons[list]; !known {
			t.Errorf("%s has settings that the page does not list: %s", settings[0], list)
		}
		reasons[list] = true
	}
	for settings, used := range reasons {
		if !used {
			t.Errorf("no function has the settings %q", settings)
		}
	}
	if len(reasons) < 10 {
		t.Errorf("the page lists %d combinations", len(reasons))
	}
}

func sorted(settings []string) string {
	settings = slices.Clone(settings)
	slices.Sort(settings)
	return strings.Join(settings, " ")
}
