package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// writeDocuments writes the figures of the last run into the marked regions of the documents.
func writeDocuments(o options) error {
	r, err := report.Read(o.out)
	if err != nil {
		return err
	}
	texts := regions(r)
	for _, path := range o.report {
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		after, err := report.Fill(before, texts)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := os.WriteFile(path, after, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// group is one table of the documents.
type group struct {
	name string
	has  func(report.Row) bool
}

// groups sort the rows: each goes to the first group that has it.
var groups = []group{
	{
		"sound",
		named(
			"verify_problems",
			"flows_lost",
			"sweep_opened_wrongly",
			"detection_missed",
			"callbacks_unanswered",
			"query_seq_scans",
			"page_seq_scans",
			"disk_used",
			"run_duration",
		),
	},
	{"exact", named("round_trips", "wal", "bytes_kept", callPrefix)},
	{"ratios", named("throughput_ratio", "throughput_vs", "server_cpu_added", "noise")},
	{"flows", named("throughput", "server_cpu", "flow_rows_read")},
	{"background", func(report.Row) bool { return true }},
}

// named matches the rows whose names begin with one of these.
func named(prefixes ...string) func(report.Row) bool {
	return func(row report.Row) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(row.Name, prefix) })
	}
}

// regions are the texts of a run by region.
func regions(r *report.Report) map[string]string {
	texts := map[string]string{"settings": settingsText(r.Settings), "three": threeFigures(r)}
	for i, g := range groups {
		var table strings.Builder
		r.WriteMarkdown(&table, func(row report.Row) bool {
			return slices.IndexFunc(groups, func(other group) bool { return other.has(row) }) == i
		})
		texts[g.name] = table.String()
	}
	var missed strings.Builder
	r.WriteMarkdown(&missed, func(row report.Row) bool { met := row.Met(); return met != nil && !*met })
	texts["missed"] = missed.String()
	return texts
}

// settingsText lists what the figures depend on.
func settingsText(settings map[string]any) string {
	var out strings.Builder
	server, _ := settings["postgres"].(map[string]any)
	line := ""
	for _, name := range pg.Told {
		if value, there := server[name]; there {
			line += fmt.Sprintf(", %s=%v", name, value)
		}
	}
	fmt.Fprintf(&out, "- PostgreSQL: %s\n", strings.TrimPrefix(line, ", "))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if name == "postgres" {
			continue
		}
		value, err := json.Marshal(settings[name])
		if err == nil {
			fmt.Fprintf(&out, "- %s: %s\n", name, value)
		}
	}
	return out.String()
}

// threeFigures answer an integrator's first questions: the exact cost, the effect on throughput, and how soon a missed
// deadline is known.
func threeFigures(r *report.Report) string {
	text := func(name, system string) string {
		row, there := r.Find(name, system)
		if !there {
			return "not measured"
		}
		return report.Number(row.Value)
	}
	return fmt.Sprintf(`| what | measured |
|---|---|
| cost added to a payment's two transactions, in the app's own batches: round trips / bytes of write-ahead log / `+
		`bytes kept | %s / %s / %s |
| throughput with receipts, relative to without, of two minimal transactions, 8 clients, batched: `+
		`1 ms from the database / on the same machine with saturated CPUs | %s / %s |
| time from a missed deadline to its incident, 99th percentile, one sweep per second | %s ms |
`, text("round_trips_added", flow.OursBatched), text("wal_added", flow.OursBatched), text("bytes_kept", flow.OursPlain),
		text("throughput_ratio_1ms_8", flow.OursBatched), text("throughput_ratio_8", flow.OursBatched), text("detection_p99", "ours"))
}
