package console

import (
	"net/url"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// filter is the list's filter as it is in the URL, so that it can be shared.
type filter struct {
	// Show is open (the default), a state, or all.
	Show string
	// Q is an id or a part of an error.
	Q                                           string
	Cause, Provider, EventType, Effect, Version string
	Customer, Subject                           string
	// From and To are days in UTC; both are included.
	From, To string
	Before   string

	from, to time.Time
}

// readFilter reads a filter from a query or a form.
func readFilter(q url.Values) (f filter, err error) {
	f = filter{
		Show: q.Get("show"), Q: q.Get("q"), Cause: q.Get("cause"), Provider: q.Get("provider"), EventType: q.Get("event_type"),
		Effect: q.Get("effect"), Version: q.Get("version"), Customer: q.Get("customer"), Subject: q.Get("reference"),
		From: q.Get("from"), To: q.Get("to"), Before: q.Get("before"),
	}
	if f.Show == "" {
		f.Show = "open"
	}
	if !slices.Contains(shows, f.Show) {
		return f, &engine.FieldError{Field: "show", Reason: "must be open, all or a state"}
	}
	if f.from, err = day("from", f.From); err != nil {
		return f, err
	}
	if f.to, err = day("to", f.To); err == nil && f.To != "" {
		f.to = f.to.AddDate(0, 0, 1)
	}
	return f, err
}

func day(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	at, reason := input.ParseDay(s)
	if reason != "" {
		return at, &engine.FieldError{Field: field, Reason: reason}
	}
	return at, nil
}

// Pairs are the fields by their names in the URL.
func (f filter) Pairs() [][2]string {
	show := f.Show
	if show == "open" {
		show = ""
	}
	all := [][2]string{
		{"show", show},
		{"q", f.Q},
		{"cause", f.Cause},
		{"provider", f.Provider},
		{"event_type", f.EventType},
		{"effect", f.Effect},
		{"version", f.Version},
		{"customer", f.Customer},
		{"reference", f.Subject},
		{"from", f.From},
		{"to", f.To},
	}
	return slices.DeleteFunc(all, func(p [2]string) bool { return p[1] == "" })
}

// Values are Pairs in a row, for a link.
func (f filter) Values() (values []string) {
	for _, p := range f.Pairs() {
		values = append(values, p[0], p[1])
	}
	return values
}

// Narrow says whether any filter besides the tab is set.
func (f filter) Narrow() bool { return f.Q != "" || f.Detailed() }

// Detailed says whether one of the fields behind "More filters" is in use.
func (f filter) Detailed() bool {
	return f.Cause+f.Provider+f.EventType+f.Effect+f.Version+f.Customer+f.Subject+f.From+f.To != ""
}

// asked is the filter for the engine.
func (f filter) asked() engine.IncidentFilter {
	asked := engine.IncidentFilter{
		Cause:        engine.Cause(f.Cause),
		Provider:     f.Provider,
		EventType:    f.EventType,
		Effect:       f.Effect,
		Version:      f.Version,
		Customer:     f.Customer,
		Subject:      f.Subject,
		OpenedAfter:  f.from,
		OpenedBefore: f.to,
		Text:         f.Q,
		Before:       engine.IncidentID(f.Before),
	}
	switch f.Show {
	case "open":
		asked.Open = true
	case "all":
	default:
		asked.State = wire.State(f.Show)
	}
	return asked
}

// filterOf is the reverse, for a filter from the store.
func filterOf(kept engine.IncidentFilter) filter {
	f := filter{
		Show: "all", Q: kept.Text, Cause: string(kept.Cause), Provider: kept.Provider, EventType: kept.EventType, Effect: kept.Effect,
		Version: kept.Version, Customer: kept.Customer, Subject: kept.Subject,
	}
	if kept.Term != "" { // saved through the API: a text finds terms too
		f.Q = kept.Term
	}
	if kept.Open {
		f.Show = "open"
	}
	if kept.State != "" {
		f.Show = wire.StateName(kept.State)
	}
	if !kept.OpenedAfter.IsZero() {
		f.From = kept.OpenedAfter.UTC().Format(time.DateOnly)
	}
	if !kept.OpenedBefore.IsZero() {
		f.To = kept.OpenedBefore.UTC().Add(-time.Nanosecond).Format(time.DateOnly)
	}
	return f
}
