package callback

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

// Verdict is the result of one try.
type Verdict string

// A try is accepted, is tried again, or ends the attempt.
const (
	Accepted Verdict = "accepted"
	Again    Verdict = "again"
	Halted   Verdict = "halted"
)

// VerdictOn returns the verdict on an answer. 2xx is accepted. 3xx and 4xx halt: the endpoint
// refused, or has moved. Everything else, such as a network error, is tried again, except that an
// address that we refuse to reach halts, because no later try could reach it. status counts only if
// err is nil.
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

// delays are the times to wait before each try of one attempt.
var delays = [...]time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// Tries is the most tries of one attempt.
const Tries = len(delays)

// Span is the longest time from the first to the start of the last scheduled try of an attempt:
// every delay at its upper bound, without any Retry-After.
func Span() time.Duration {
	var sum time.Duration
	for _, d := range delays {
		sum += d
	}
	return sum * 12 / 10
}

// maxRetryAfter is the longest Retry-After that is honored.
const maxRetryAfter = time.Hour

// Delay returns how long to wait between a try (from 1) and the next one: the schedule's delay, up
// to 20 % more or less, but at least retryAfter (which is at most an hour). spread is a random
// number in [0, 1). It returns false after the last try.
func Delay(try int, retryAfter time.Duration, spread float64) (wait time.Duration, again bool) {
	if try < 1 || try >= Tries {
		return 0, false
	}
	wait = time.Duration(float64(delays[try]) * (0.8 + 0.4*spread))
	return max(wait, min(retryAfter, maxRetryAfter)), true
}

// RetryAfter reads the Retry-After header: seconds or an HTTP date (RFC 9110, section 10.2.3), at
// most an hour. It returns 0 for anything else.
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
