package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestQuartilesInterpolate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		series []float64
		want   Summary
	}{
		{[]float64{7}, Summary{7, 7, 7, 1}},
		{[]float64{3, 1}, Summary{1.5, 2, 2.5, 2}},
		{[]float64{4, 1, 3, 2}, Summary{1.75, 2.5, 3.25, 4}},
		{[]float64{5, 1, 4, 2, 3}, Summary{2, 3, 4, 5}},
	} {
		series := slices.Clone(c.series)
		if got := Summarise(series); got != c.want {
			t.Errorf("%v: %v, want %v", c.series, got, c.want)
		}
		if !slices.Equal(series, c.series) {
			t.Errorf("%v was sorted in place", c.series)
		}
	}
	if got := Summarise(nil); !math.IsNaN(got.Median) || got.N != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestPairsAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	ours := map[int]float64{0: 80, 1: 40, 2: 90, 4: 10, 5: 7}
	bare := map[int]float64{0: 100, 1: 50, 2: 100, 3: 77, 5: 0}
	if got := Pair(ours, bare, Of); !slices.Equal(got, []float64{0.8, 0.8, 0.9}) {
		t.Errorf("%v", got)
	}
	if got := Pair(map[int]float64{0: 130}, map[int]float64{0: 100}, Added); math.Abs(got[0]-0.3) > 1e-9 {
		t.Errorf("added: %v", got)
	}
	if got := Neighbours(map[int]float64{0: 10, 1: 20, 2: 10, 4: 5}); !slices.Equal(got, []float64{2, 0.5}) {
		t.Errorf("neighbours: %v", got)
	}
}

func TestEveryRoundHasEverySystemOnceAndNoneAlwaysFollowsTheSame(t *testing.T) {
	t.Parallel()
	const systems, rounds = 8, 16
	followed := map[[2]int]int{}
	for round := range rounds {
		order := Order(systems, round)
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Fatalf("round %d: %v", round, order)
		}
		for i := 1; i < systems; i++ {
			followed[[2]int{order[i-1], order[i]}]++
		}
	}
	for pair, times := range followed {
		if times > rounds/2 {
			t.Errorf("%d followed %d %d times of %d", pair[1], pair[0], times, rounds)
		}
	}
}

func rows() *Report {
	r := &Report{Settings: map[string]any{"fsync": "on"}}
	r.Add(
		Row{Name: "wal_added", System: "ours_plain", Value: 812.4, Unit: "bytes per flow over bare", Target: AtMost(800), Exact: true},
	)
	r.AddSeries(
		Row{Name: "throughput_ratio_8", System: "ours_batched", Unit: "x bare_batched", Target: AtLeast(0.88)},
		[]float64{0.9, 0.8, 1},
	)
	r.Add(Row{Name: "sweep_open_1", System: "ours", Value: 123456.7, Unit: "incidents/s"})
	r.Add(Row{Name: "not_measured", System: "ours", Value: math.NaN()})
	r.AddSeries(Row{Name: "not_measured_either", System: "ours"}, nil)
	return r
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := rows().WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"name system value unit target met",
		"wal_added ours_plain 812.4 bytes per flow over bare ≤ 800 NO",
		"throughput_ratio_8 ours_batched 0.900 [0.850, 0.950] x bare_batched ≥ 0.880 yes",
		"sweep_open_1 ours 123457 incidents/s",
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := rows().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Settings map[string]any
		Rows     []map[string]any
	}
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	if file.Settings["fsync"] != "on" || len(file.Rows) != 5 {
		t.Fatalf("%s", body)
	}
	for _, row := range file.Rows {
		for _, member := range []string{"name", "system", "value", "unit", "target", "met", "exact"} {
			if _, there := row[member]; !there || len(row) != 7 {
				t.Errorf("%v lacks %s or has too much", row, member)
			}
		}
	}
	if first := file.Rows[0]; first["target"] != 800.0 || first["met"] != false || first["exact"] != true {
		t.Errorf("%v", first)
	}
	if second, q1 := file.Rows[1], file.Rows[2]; second["met"] != true || q1["name"] != "throughput_ratio_8_q1" ||
		q1["target"] != nil ||
		math.Abs(q1["value"].(float64)-0.85) > 1e-9 {
		t.Errorf("%v, then %v", second, q1)
	}
}

func TestTargetsIncludeTheirBound(t *testing.T) {
	t.Parallel()
	for _, row := range []Row{{Value: 0, Target: AtMost(0)}, {Value: 0.9, Target: AtLeast(0.9)}} {
		if !*row.Met() {
			t.Errorf("%v is not met", row)
		}
	}
	if (Row{}).Met() != nil {
		t.Error("a row without a target is met or not")
	}
}
