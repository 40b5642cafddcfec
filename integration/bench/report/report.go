// Package report turns measurements into rows, and rows into the table that people read and the file that tests read.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"text/tabwriter"
)

// Row is one figure.
type Row struct {
	// Name is stable: documents and tests refer to it.
	Name string
	// System is the measured system.
	System string
	Value  float64
	// Unit is the unit of the value, and for a ratio its baseline.
	Unit string
	// Target is nil if nothing was promised.
	Target *Target
	// Exact says that the figure does not depend on the machine: round trips, WAL, bytes, plans, counts.
	Exact bool
	// Spread is nil for a single measurement; the value is its median.
	Spread *Summary
}

// Target is a promise about a row.
type Target struct {
	Value float64
	// AtLeast says that more is better; otherwise less is.
	AtLeast bool
}

// AtMost promises that a row is at most value.
func AtMost(value float64) *Target { return &Target{Value: value} }

// AtLeast promises that a row is at least value.
func AtLeast(value float64) *Target { return &Target{Value: value, AtLeast: true} }

// Met says whether the promise is kept; nil if there is none.
func (r Row) Met() *bool {
	if r.Target == nil {
		return nil
	}
	met := r.Value <= r.Target.Value
	if r.Target.AtLeast {
		met = r.Value >= r.Target.Value
	}
	return &met
}

// Report collects the rows of a run. It is not safe for concurrent use.
type Report struct {
	// Settings are those of the server, the machine and the run.
	Settings map[string]any
	Rows     []Row
}

// Add appends a row. A value that is not a number is left out: it was not measured.
func (r *Report) Add(row Row) {
	if !math.IsNaN(row.Value) && !math.IsInf(row.Value, 0) {
		r.Rows = append(r.Rows, row)
	}
}

// AddSeries appends the median of a series with its quartiles. An empty series was not measured.
func (r *Report) AddSeries(row Row, series []float64) {
	if len(series) == 0 {
		return
	}
	summary := Summarise(series)
	row.Value, row.Spread = summary.Median, &summary
	r.Add(row)
}

// Find returns the row of a name and a system.
func (r *Report) Find(name, system string) (Row, bool) {
	for _, row := range r.Rows {
		if row.Name == name && row.System == system {
			return row, true
		}
	}
	return Row{}, false
}

// WriteTable writes the rows for people.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "name\tsystem\tvalue\tunit\ttarget\tmet")
	for _, row := range r.Rows {
		value, target, met := row.texts()
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, row.System, value, row.Unit, target, met)
	}
	return table.Flush()
}

// number writes three significant digits, and whole numbers whole.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) && size < 1e15, size >= 1000:
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// fileRow is the form of a row in the file.
type fileRow struct {
	Name   string   `json:"name"`
	System string   `json:"system"`
	Value  float64  `json:"value"`
	Unit   string   `json:"unit"`
	Target *float64 `json:"target"`
	Met    *bool    `json:"met"`
	Exact  bool     `json:"exact"`
}

// fileRows is one row, or three if there is a spread: its quartiles follow it as NAME_q1 and NAME_q3.
func (r Row) fileRows() []fileRow {
	row := fileRow{Name: r.Name, System: r.System, Value: r.Value, Unit: r.Unit, Met: r.Met(), Exact: r.Exact}
	if r.Target != nil {
		row.Target = &r.Target.Value
	}
	rows := []fileRow{row}
	if r.Spread != nil {
		row.Target, row.Met = nil, nil
		for _, quartile := range []struct {
			suffix string
			value  float64
		}{{"_q1", r.Spread.Q1}, {"_q3", r.Spread.Q3}} {
			row.Name, row.Value = r.Name+quartile.suffix, quartile.value
			rows = append(rows, row)
		}
	}
	return rows
}

// Encode returns the report as JSON.
func (r *Report) Encode() ([]byte, error) {
	file := struct {
		Settings map[string]any `json:"settings"`
		Rows     []fileRow      `json:"rows"`
	}{Settings: r.Settings, Rows: []fileRow{}}
	if file.Settings == nil {
		file.Settings = map[string]any{}
	}
	for _, row := range r.Rows {
		file.Rows = append(file.Rows, row.fileRows()...)
	}
	body, err := json.MarshalIndent(file, "", "  ")
	return append(body, '\n'), err
}

// WriteFile writes the report as JSON. A reader never sees half of it.
func (r *Report) WriteFile(path string) error {
	body, err := r.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", body, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
