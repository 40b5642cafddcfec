package input

import (
	"strings"
	"time"
)

// The range that Postgres, pgx and JSON all store exactly.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// Time checks a time: the years 1970 to 9999, and an offset of less than a day.
func Time(t time.Time) string {
	if _, offset := t.Zone(); offset <= -24*3600 || offset >= 24*3600 {
		return "has an offset of a day or more" // Go parses such an offset, but fails or panics when it formats it
	}
	if t.Before(earliest) || t.After(latest) {
		return "is outside the years 1970 to 9999"
	}
	return ""
}

// layouts are the forms of ISO 8601 with a date, a time and an offset. Go accepts fractions of a
// second in each.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07:00",
	"20060102T150405Z0700", "20060102T150405Z07:00",
}

// ParseTime parses an ISO 8601 time with its offset, and returns it in UTC.
func ParseTime(s string) (t time.Time, reason string) {
	for _, layout := range layouts {
		t, err := time.Parse(layout, strings.ToUpper(s))
		if err != nil {
			continue
		}
		return t.UTC(), Time(t)
	}
	return time.Time{}, "must be a time of ISO 8601 with its offset, such as 2026-03-01T12:00:00Z"
}

// ParseDay parses a date, in UTC.
func ParseDay(s string) (t time.Time, reason string) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, "must be a day such as 2026-01-31"
	}
	return t, Time(t)
}
