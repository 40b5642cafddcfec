package console

import (
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestAFilterStandsInTheURLAsAWhole(t *testing.T) {
	t.Parallel()
	query := url.Values{
		"show": {
			"failed",
		},
		"q":          {"in_1"},
		"cause":      {"failed"},
		"provider":   {"stripe"},
		"event_type": {"invoice.paid"},
		"effect":     {"credit_grant"},
		"version":    {"1"},
		"customer":   {"cus_1"},
		"reference":  {"acct_1"},
		"from":       {"2026-01-01"},
		"to":         {"2026-01-31"},
	}
	f, err := readFilter(query)
	if err != nil {
		t.Fatal(err)
	}
	asked := f.asked()
	if want := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC); !asked.OpenedBefore.Equal(want) {
		t.Errorf("until the 31st is before %s, want %s", asked.OpenedBefore, want)
	}
	back := filterOf(asked)
	if !slices.Equal(back.Values(), f.Values()) || len(f.Values()) != 2*len(query) {
		t.Errorf("%v came back as %v", f.Values(), back.Values())
	}
	for _, show := range shows {
		f, err := readFilter(url.Values{"show": {show}})
		if err != nil || filterOf(f.asked()).Show != show {
			t.Errorf("%s came back as %s, %v", show, filterOf(f.asked()).Show, err)
		}
	}
}
