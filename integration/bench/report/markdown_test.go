package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestAReportReadBackShowsTheSame(t *testing.T) {
	t.Parallel()
	r := rows()
	r.Add(Row{Name: "round_trips_added", System: "ours_batched", Unit: "per flow", Target: AtMost(0), Exact: true})
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var want, got bytes.Buffer
	all := func(Row) bool { return true }
	r.WriteMarkdown(&want, all)
	again.WriteMarkdown(&got, all)
	if got.String() != want.String() {
		t.Errorf("read back:\n%s\nwritten:\n%s", &got, &want)
	}
	if !strings.Contains(
		got.String(),
		"| throughput_ratio_8 | ours_batched | 0.900 [0.850, 0.950] | x bare_batched | ≥ 0.880 | yes |",
	) ||
		!strings.Contains(got.String(), "| wal_added | ours_plain | 812.4 | bytes per flow over bare | ≤ 800 | NO |") {
		t.Errorf("%s", &got)
	}
}

func TestRegionsAreFilledAndNothingElse(t *testing.T) {
	t.Parallel()
	document := "Before.\n<!-- bench: one -->\nold\nold\n<!-- /bench -->\nBetween.\n<!-- bench: two -->\n<!-- /bench -->\nAfter.\n"
	texts := map[string]string{"one": "new\n", "two": "2", "three": "unused"}
	got, err := Fill([]byte(document), texts)
	if err != nil {
		t.Fatal(err)
	}
	want := "Before.\n<!-- bench: one -->\nnew\n<!-- /bench -->\nBetween.\n<!-- bench: two -->\n2\n<!-- /bench -->\nAfter.\n"
	if string(got) != want {
		t.Errorf("%s", got)
	}
	if again, err := Fill(got, texts); err != nil || string(again) != want {
		t.Errorf("filled twice: %v\n%s", err, again)
	}
	for _, broken := range []string{"<!-- bench: one -->\nno end", "<!-- bench: four -->\n<!-- /bench -->"} {
		if _, err := Fill([]byte(broken), texts); err == nil {
			t.Errorf("%q is filled", broken)
		}
	}
}
