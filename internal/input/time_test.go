package input_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

func TestParseTimeReadsWhatNamesAMoment(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-03-01T12:00:00Z":        noon,
		"2026-03-01t12:00:00z":        noon,
		"2026-03-01T14:00:00+02:00":   noon,
		"2026-03-01T14:00:00+0200":    noon,
		"2026-03-01T14:00:00+02":      noon,
		"2026-03-01T12:00Z":           noon,
		"20260301T120000Z":            noon,
		"2026-03-01T12:00:00.123456Z": noon.Add(123456 * time.Microsecond),
		"2026-03-02T11:59:00+23:59":   noon,
		"2026-03-01T12:00:00":         {},
		"2026-03-01":                  {},
		"2026-03-02T12:00:00+24:00":   {},
		"2026-02-28T12:00:00-24:00":   {},
		"2026-03-01T12:00:00+99:99":   {},
		"1969-12-31T23:59:59Z":        {},
		"9999-12-31T00:00:00.000000Z": time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
		"9999-12-31T00:00:00.000001Z": {},
		"10000-01-01T00:00:00Z":       {},
		"":                            {},
	} {
		got, reason := input.ParseTime(text)
		if (reason == "") == want.IsZero() || reason == "" && !got.Equal(want) {
			t.Errorf("%q: %v %q, want %v", text, got, reason, want)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%q: what was read cannot be written: %v", text, err)
		}
	}
}

func TestParseDayReadsADay(t *testing.T) {
	t.Parallel()
	if day, reason := input.ParseDay("2026-01-31"); reason != "" || !day.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %q", day, reason)
	}
	for _, text := range []string{"", "31.1.2026", "2026-02-30", "1969-12-31", "2026-01-31T00:00:00Z"} {
		if day, reason := input.ParseDay(text); reason == "" {
			t.Errorf("%q was read as %v", text, day)
		}
	}
}
