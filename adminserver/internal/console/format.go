package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/currency"
)

// clockTime writes a time in UTC, which the script converts to the reader's zone; the title keeps the UTC
// value. It contains only digits and our own words, so it needs no escaping.
func clockTime(t time.Time, class, layout string) template.HTML {
	if t.IsZero() {
		return "—"
	}
	t = t.UTC()
	return template.HTML(
		`<time class="` + class + `" datetime="` + t.Format(
			time.RFC3339Nano,
		) + `" title="` + t.Format(
			"2006-01-02 15:04:05.000 UTC",
		) + `">` +
			t.Format(
				layout,
			) + `</time>`,
	)
}

// when is a time to the second.
func when(t time.Time) template.HTML { return clockTime(t, "whole", "2 Jan 2006, 15:04:05 UTC") }

// short is a time for a narrow place.
func short(t time.Time) template.HTML { return clockTime(t, "short", "2 Jan 15:04") }

// ago is the time since then if there is script.
func ago(t time.Time) template.HTML { return clockTime(t, "ago", "2 Jan 15:04 UTC") }

// money writes an amount with the decimals of its currency; "" if none is known.
func money(m engine.Money) string {
	if m.Currency == "" {
		return ""
	}
	whole, rest, fraction := strings.Cut(currency.Format(m.Minor, m.Currency), ".")
	if fraction {
		rest = "." + rest
	}
	sign, digits := "", whole
	if strings.HasPrefix(whole, "-") {
		sign, digits = "-", whole[1:]
	}
	if len(digits) > 4 {
		digits = grouped(digits)
	}
	return sign + digits + rest + "\u00a0" + strings.ToUpper(m.Currency)
}

// took is a short duration, to the millisecond below one second.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d\u00a0ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f\u00a0s", d.Seconds())
	}
	return spell(d)
}

// spell is a duration in its two largest units.
func spell(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d < time.Second {
		return fmt.Sprintf("%d\u00a0ms", d.Milliseconds())
	}
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d\u00a0%s", n, unit.name))
			d -= n * unit.size
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// thousands writes a count with thin spaces.
func thousands(n int) string { return grouped(strconv.Itoa(n)) }

func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// minutes writes seconds as a number of minutes for a form.
func minutes(seconds float64) string { return strconv.FormatFloat(seconds/60, 'f', -1, 64) }

// days does the same in days.
func days(seconds float64) string { return strconv.FormatFloat(seconds/86400, 'f', -1, 64) }

// list makes a list in a template.
func list(items ...any) []any { return items }
