package demo

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
)

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "00:00.000", 0: "00:00.000", 1499 * time.Microsecond: "00:00.001",
		59*time.Second + 999600*time.Microsecond: "01:00.000", 61*time.Minute + 2*time.Second: "61:02.000",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestColumnsCountWhatIsSeen(t *testing.T) {
	if got := column(colour.Good.Render("ok"), 4); got != colour.Good.Render("ok")+"  " {
		t.Errorf("%q", got)
	}
	if got := column("too long", 3); got != "too long" {
		t.Errorf("%q", got)
	}
}

func TestEveryVoiceHasItsColumn(t *testing.T) {
	var out bytes.Buffer
	n := newNarrator(&out)
	n.voice(theShop, "opens %d", 1)
	n.voice(string(ada), "looks")
	n.aside("twice")
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, text := range []string{"opens 1", "looks", "twice"} {
		if at := strings.Index(lines[i], text); at != 28 {
			t.Errorf("%q begins at %d", text, at)
		}
	}
}

// A reader who went away ends the story.
func TestAClosedPipeEndsTheStory(t *testing.T) {
	n := newNarrator(closedPipe{})
	ended := false
	n.lost = func() { ended = true }
	n.say("anybody?")
	if !ended || !errors.Is(n.err, errClosed) {
		t.Errorf("ended %v, error %v", ended, n.err)
	}
}

type closedPipe struct{}

var errClosed = errors.New("closed")

func (closedPipe) Write([]byte) (int, error) { return 0, errClosed }
