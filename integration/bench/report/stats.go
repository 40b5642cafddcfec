package report

import (
	"math"
	"slices"
)

// Summary is the middle and the spread of a series.
type Summary struct {
	// Q1, Median and Q3 are NaN for an empty series.
	Q1, Median, Q3 float64
	// N is how many values there were.
	N int
}

// Summarise returns the quartiles of a series and does not change it.
func Summarise(series []float64) Summary {
	sorted := slices.Sorted(slices.Values(series))
	return Summary{Q1: Quantile(sorted, 0.25), Median: Quantile(sorted, 0.5), Q3: Quantile(sorted, 0.75), N: len(sorted)}
}

// Quantile interpolates between the two nearest ranks of a sorted series, as percentile_cont does in SQL.
func Quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	place := share * float64(len(sorted)-1)
	low := int(math.Floor(place))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (place-float64(low))*(sorted[high]-sorted[low])
}

// Pair matches the measurements of two systems by round and returns ratio of the two for each round. It leaves out
// rounds that only one of them has, and results that are not a number.
func Pair(measured, baseline map[int]float64, ratio func(measured, baseline float64) float64) []float64 {
	var rounds []int
	for round := range measured {
		if _, both := baseline[round]; both {
			rounds = append(rounds, round)
		}
	}
	slices.Sort(rounds)
	var out []float64
	for _, round := range rounds {
		if r := ratio(measured[round], baseline[round]); !math.IsNaN(r) && !math.IsInf(r, 0) {
			out = append(out, r)
		}
	}
	return out
}

// Of is the plain ratio.
func Of(measured, baseline float64) float64 { return measured / baseline }

// Added is the cost in addition to the baseline, as a share of it.
func Added(measured, baseline float64) float64 { return measured/baseline - 1 }

// Neighbours pairs each value with that of the previous round: the ratio of a system to itself on this machine, which
// is the noise.
func Neighbours(measured map[int]float64) []float64 {
	before := make(map[int]float64, len(measured))
	for round, value := range measured {
		before[round+1] = value
	}
	return Pair(measured, before, Of)
}

// Order is the order in which n systems take their turn in a round: it rotates, and every other round is reversed, so
// that no system always follows the same other.
func Order(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (i + round/2) % n
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}
