package callback

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

func TestOnlySilenceAndServerErrorsAreTriedAgain(t *testing.T) {
	for _, test := range []struct {
		status int
		err    error
		want   Verdict
	}{
		{200, nil, Accepted},
		{202, nil, Accepted},
		{204, nil, Accepted},
		{299, nil, Accepted},
		{300, nil, Halted},
		{301, nil, Halted},
		{307, nil, Halted},
		{399, nil, Halted},
		{400, nil, Halted},
		{404, nil, Halted},
		{408, nil, Halted},
		{409, nil, Halted},
		{422, nil, Halted},
		{429, nil, Halted},
		{499, nil, Halted},
		{500, nil, Again},
		{503, nil, Again},
		{599, nil, Again},
		// No answer that anybody could mean: a proxy's, more likely than an app's.
		{101, nil, Again},
		{600, nil, Again},
		{0, errors.New("connection refused"), Again},
		{200, errors.New("cut off"), Again},
		{0, fmt.Errorf("dial: %w", guardedhttp.ErrBlocked), Halted},
	} {
		if got := VerdictOn(test.status, test.err); got != test.want {
			t.Errorf("VerdictOn(%d, %v) = %s, want %s", test.status, test.err, got, test.want)
		}
	}
}

func TestTheSchedule(t *testing.T) {
	const none = -1
	for _, test := range []struct {
		try         int
		retryAfter  time.Duration
		spread      float64
		wantSeconds float64
	}{
		{try: 1, spread: 0.5, wantSeconds: 5},
		{try: 2, spread: 0.5, wantSeconds: 30},
		{try: 3, spread: 0.5, wantSeconds: 120},
		{try: 4, spread: 0.5, wantSeconds: 600},
		{try: 5, spread: 0.5, wantSeconds: 3600},
		{try: 6, spread: 0.5, wantSeconds: none},
		{try: 6, retryAfter: time.Minute, wantSeconds: none},
		{try: 0, wantSeconds: none},
		{try: -1, wantSeconds: none},
		{try: 1, spread: 0, wantSeconds: 4},
		{try: 1, spread: 1, wantSeconds: 6},
		{try: 5, spread: 0, wantSeconds: 2880},
		{try: 5, spread: 1, wantSeconds: 4320},
		{try: 1, retryAfter: 90 * time.Second, wantSeconds: 90},
		{try: 1, retryAfter: 2 * time.Hour, wantSeconds: 3600},
		{try: 4, retryAfter: time.Second, spread: 0.5, wantSeconds: 600},
		{try: 5, retryAfter: 2 * time.Hour, spread: 1, wantSeconds: 4320},
	} {
		wait, again := Delay(test.try, test.retryAfter, test.spread)
		if test.wantSeconds == none {
			if again {
				t.Errorf("a try after number %d", test.try)
			}
			continue
		}
		if off := wait.Seconds() - test.wantSeconds; !again || off > 0.001 || off < -0.001 {
			t.Errorf("%+v: %s, %v", test, wait, again)
		}
	}
}

func TestSpanCoversTheSlowestSchedule(t *testing.T) {
	var sum time.Duration
	for try := 1; try < Tries; try++ {
		wait, _ := Delay(try, 0, 1)
		sum += wait
	}
	if Tries != 6 || Span() < sum || Span() > sum+time.Second {
		t.Errorf("%d tries, span %s, slowest %s", Tries, Span(), sum)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "3600": time.Hour, "3601": time.Hour,
		"9223372036854775807": time.Hour, "99999999999999999999": 0, "-5": 0, "+5": 0, "1.5": 0, "1e3": 0, "soon": 0,
		"Thu, 01 Jan 2026 00:00:30 GMT":    30 * time.Second,
		"Thursday, 01-Jan-26 00:00:30 GMT": 30 * time.Second,
		"Thu, 01 Jan 2037 00:00:00 GMT":    time.Hour,
		"Thu, 01 Jan 2015 00:00:00 GMT":    0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q = %s, want %s", value, got, want)
		}
	}
	if got := RetryAfter(http.Header{}, now); got != 0 {
		t.Errorf("without the header: %s", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7")
	f.Add("Thu, 01 Jan 2026 00:00:30 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, vectorTime); got < 0 || got > time.Hour {
			t.Errorf("%q: %s", value, got)
		}
	})
}
