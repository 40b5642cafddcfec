package console

import (
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// chart is a series of counts as bars. Its picture is barWidth units wide per bar and chartHeight high, and
// stretches with the page.
type chart struct {
	// Name says what is counted and is also the chart's class.
	Name         string
	Total, Most  int
	Top          int
	Width        int
	Bars         []bar
	Since, Until time.Time
}

// bar is one count. Says is its tooltip.
type bar struct {
	X, Y, Height int
	Says         string
}

const (
	barWidth    = 10
	chartHeight = 100
)

// newChart draws one of the counts of a series.
func newChart(name string, series []incidents.Bucket, count func(incidents.Bucket) int) chart {
	c := chart{Name: name, Width: len(series) * barWidth}
	for _, b := range series {
		c.Total += count(b)
		c.Most = max(c.Most, count(b))
	}
	c.Top = roundUp(c.Most)
	for i, b := range series {
		n := count(b)
		height := n * chartHeight / c.Top
		if n > 0 {
			height = max(height, 2) // one stays visible beside a thousand
		}
		c.Bars = append(c.Bars, bar{
			X: i * barWidth, Y: chartHeight - height, Height: height,
			Says: fmt.Sprintf("%s UTC: %s %s", b.At.UTC().Format("2 Jan 15:04"), thousands(n), name),
		})
	}
	if len(series) > 0 {
		c.Since, c.Until = series[0].At, series[len(series)-1].At
	}
	return c
}

// roundUp is the end of a scale: the next 1, 2 or 5 times a power of ten, and even, so that its half is an
// integer too.
func roundUp(n int) int {
	for power := 1; ; power *= 10 {
		for _, step := range []int{2, 4, 10} {
			if step*power >= n {
				return step * power
			}
		}
	}
}

// Half is the middle of the scale.
func (c chart) Half() int { return c.Top / 2 }
