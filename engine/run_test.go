package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The loop is dumb: at once, then an interval after each step ended, and no
// step begins after the end.
func TestALoopStepsAtOnceAndThenEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var at []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			every(ctx, time.Second, func() {
				at = append(at, time.Since(start))
				<-time.After(300 * time.Millisecond) // a step that takes a while
			})
		}()
		synctest.Wait()
		<-time.After(3 * time.Second)
		cancel()
		<-done
		want := []time.Duration{0, 1300 * time.Millisecond, 2600 * time.Millisecond}
		if len(at) != len(want) {
			t.Fatalf("steps at %v, want %v", at, want)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("steps at %v, want %v", at, want)
			}
		}
	})
}

func TestCutKeepsWholeRunesAndStorableText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in, want string
		limit    int
	}{
		{"abc", "abc", 3}, {"abcd", "abc", 3}, {"aé", "a", 2}, {"aéb", "aé", 3}, {"a世界", "a世", 6}, {"a\x00b", "ab", 9},
		{"a\xffb", "a\uFFFDb", 9}, {"\xed\xa0\x80", "\uFFFD", 9}, {"", "", 3}, {"😀😀", "😀", 7},
	} {
		if got := cut(test.in, test.limit); got != test.want {
			t.Errorf("cut(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
}

func TestHalfASurrogatePairIsFound(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\ud83d"`: true, `"\ude00"`: true, `"\ud83dx"`: true, `"\ud83d\\ude00"`: true, `"\\ud83d"`: false,
		`"\ud83d\ud83d\ude00"`: true, `{"a":"é"}`: false, `"\u00e9"`: false, `["\ud83d","\ude00"]`: true,
	} {
		if got := loneSurrogate([]byte(payload)); got != want {
			t.Errorf("loneSurrogate(%s) = %v", payload, got)
		}
	}
}
