package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// WriteMarkdown writes the rows that keep selects as a table for a document.
func (r *Report) WriteMarkdown(w io.Writer, keep func(Row) bool) {
	fmt.Fprintln(w, "| figure | system | value | unit | target | met |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, row := range r.Rows {
		if !keep(row) {
			continue
		}
		value, target, met := row.texts()
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", row.Name, row.System, value, row.Unit, target, met)
	}
}

// texts are a row's value, its target, and whether the target was met.
func (r Row) texts() (value, target, met string) {
	if r.Target != nil {
		target = "≤ " + number(r.Target.Value)
		if r.Target.AtLeast {
			target = "≥ " + number(r.Target.Value)
		}
		met = map[bool]string{true: "yes", false: "NO"}[*r.Met()]
	}
	value = number(r.Value)
	if r.Spread != nil {
		value += fmt.Sprintf(" [%s, %s]", number(r.Spread.Q1), number(r.Spread.Q3))
	}
	return value, target, met
}

// Number formats a value for a table.
func Number(v float64) string { return number(v) }

// Read returns the report that a run wrote.
func Read(path string) (*Report, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Settings map[string]any `json:"settings"`
		Rows     []fileRow      `json:"rows"`
	}
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &Report{Settings: file.Settings}
	for _, f := range file.Rows {
		if base, quartile := last(r.Rows), f.Name; base != nil && base.System == f.System {
			if quartile == base.Name+"_q1" {
				base.Spread = &Summary{Q1: f.Value, Median: base.Value}
				continue
			}
			if quartile == base.Name+"_q3" && base.Spread != nil {
				base.Spread.Q3 = f.Value
				continue
			}
		}
		row := Row{Name: f.Name, System: f.System, Value: f.Value, Unit: f.Unit, Exact: f.Exact}
		if f.Target != nil {
			// The file says whether the target was met, but not its direction; if both directions fit, the words do not matter.
			row.Target = &Target{Value: *f.Target, AtLeast: f.Met != nil && *f.Met == (f.Value > *f.Target)}
		}
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func last(rows []Row) *Row {
	if len(rows) == 0 {
		return nil
	}
	return &rows[len(rows)-1]
}

// Fill writes texts into the regions of a document, which are between <!-- bench: NAME --> and <!-- /bench -->. A region
// whose name has no text is an error, because it would show the figures of another run.
func Fill(document []byte, regions map[string]string) ([]byte, error) {
	const open, shut, end = "<!-- bench: ", " -->\n", "<!-- /bench -->"
	var out bytes.Buffer
	rest := string(document)
	for {
		before, after, found := strings.Cut(rest, open)
		out.WriteString(before)
		if !found {
			return out.Bytes(), nil
		}
		name, after, named := strings.Cut(after, shut)
		_, after, closed := strings.Cut(after, end)
		text, known := regions[name]
		if !named || !closed || !known {
			return nil, fmt.Errorf("the region %q has no end or no text", name)
		}
		out.WriteString(open + name + shut + strings.TrimSuffix(text, "\n") + "\n" + end)
		rest = after
	}
}
