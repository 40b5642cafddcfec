package console

import (
	"strings"
	"testing"
	"time"
)

func TestDurationsAreWrittenInTheirLargestUnits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 35 * time.Millisecond: "35 ms", time.Second: "1 s", 90 * time.Second: "1 min 30 s", time.Hour + 5*time.Second: "1 h",
		26*time.Hour + 3*time.Minute: "1 d 2 h", 30 * 24 * time.Hour: "30 d",
	} {
		if got := strings.ReplaceAll(spell(d), "\u00a0", " "); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	if got := thousands(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("%q", got)
	}
}
