package callback

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

// Verdict is what one try came to.
type Verdict string

// A try is accepted, worth another one, or the end of the attempt.
const (
	Accepted Verdict = "accepted"
	Again    Verdict = "again"
	Halted   Verdict = "halted"
)

// VerdictOn says what an answer means. 2xx is accepted. 3xx and 4xx halt: the
// endpoint understood and said no, or lives elsewhere. Everything else, an
// error of the network before all, is tried again; only an address that we
// ourselves refuse to reach halts, for no later try would reach it. status
// counts only where err is nil.
func VerdictOn(status int, err error) Verdict {
	switch {
	case errors.Is(err, guardedhttp.ErrBlocked):
		return Halted
	case err != nil:
		return Again
	case status >= 200 && status <= 299:
		return Accepted
	case status >= 300 && status <= 499:
		return Halted
	}
	return Again
}

// delays are the waits before each try of one attempt.
var delays = [...]time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// Tries is how often one attempt is sent at most.
const Tries = len(delays)

// Span is the longest that the scheduled tries of one attempt can take, from
// the first to the start of the last: every delay at its upper bound, and no
// receiver that asks for more time.
func Span() time.Duration {
	var sum time.Duration
	for _, d := range delays {
		sum += d
	}
	return sum * 12 / 10
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = time.Hour

// Delay is the wait between a try (from 1) and the next one: the schedule's, up
// to 20 % more or less, but no less than retryAfter (itself at most an hour).
// spread is a random number in [0, 1). It answers false when the tries have run
// out.
func Delay(try int, retryAfter time.Duration, spread float64) (wait time.Duration, again bool) {
	if try < 1 || try >= Tries {
		return 0, false
	}
	wait = time.Duration(float64(delays[try]) * (0.8 + 0.4*spread))
	return max(wait, min(retryAfter, maxRetryAfter)), true
}

// RetryAfter reads the Retry-After header: seconds or an HTTP date (RFC 9110,
// section 10.2.3), at most an hour. Anything else is no wish: 0.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
}
