package console

import (
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

func TestAChartKeepsItsScaleAndShowsOneBesideAThousand(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
	c := newChart("receipts", []incidents.Bucket{{At: at, Receipts: 1}, {At: at.Add(30 * time.Minute), Receipts: 1000}, {}},
		func(b incidents.Bucket) int { return b.Receipts })
	if c.Total != 1001 || c.Top != 1000 || c.Half() != 500 || c.Width != 30 {
		t.Errorf("%+v", c)
	}
	if c.Bars[0].Height < 1 || c.Bars[1].Height != chartHeight || c.Bars[2].Height != 0 {
		t.Errorf("heights: %+v", c.Bars)
	}
	if c.Bars[0].Says != "31 Jan 23:30 UTC: 1 receipts" {
		t.Errorf("it says %q", c.Bars[0].Says)
	}
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 5: 10, 11: 20, 30: 40, 41: 100, 99_999: 100_000} {
		if got := roundUp(n); got != want {
			t.Errorf("the scale of %d ends at %d, want %d", n, got, want)
		}
	}
}
