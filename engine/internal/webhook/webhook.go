// Package webhook holds what the provider packages share: reading a bounded
// body, finding values in a provider's document, and collecting object ids.
//
// Its rule is the one of the packages above it: what makes the key is checked
// strictly, everything else is taken if it is there and left out if it is not.
// A provider that renames a field must never cost anybody a watched payment.
package webhook

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPayload is the largest body, in bytes, that an acceptance may carry as its
// payload (see engine.Acceptance).
const MaxPayload = 512 << 10

// ReadBody reads a request's body to its end. A body longer than limit bytes
// is an error that wraps a [*http.MaxBytesError].
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	return body, nil
}

// IsName reports whether s can be part of a key: 1 to limit bytes, valid
// UTF-8, no spaces and no control characters.
func IsName(s string, limit int) bool {
	return s != "" && Storable(s, limit) && !strings.ContainsFunc(s, unicode.IsSpace)
}

// Storable reports whether Postgres can keep s as it is: at most limit bytes,
// valid UTF-8, no control characters. The empty string is storable.
func Storable(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Text returns s if it is storable and "" otherwise. A cut id would name
// another object, so nothing is ever cut.
func Text(s string, limit int) string {
	if !Storable(s, limit) {
		return ""
	}
	return s
}

// Payload returns a JSON document where an acceptance can carry it, and nil
// where it is too long, not UTF-8 or holds half of a surrogate pair: such a
// document must not keep its effect from being watched.
func Payload(body []byte) []byte {
	if len(body) > MaxPayload || !utf8.Valid(body) || hasLoneSurrogate(body) {
		return nil
	}
	return body
}

// hasLoneSurrogate looks for escapes out of \ud800 to \udfff that are not a
// pair: readers of JSON disagree on what such a text is.
func hasLoneSurrogate(document []byte) bool {
	open := false // whether the escape just read is the first half of a pair
	for rest := document; len(rest) > 0; {
		step, unit := 1, uint64(0)
		if rest[0] == '\\' && len(rest) > 1 {
			step = 2
			if rest[1] == 'u' && len(rest) >= 6 {
				step = 6
				unit, _ = strconv.ParseUint(string(rest[2:6]), 16, 16)
			}
		}
		if second := unit >= 0xDC00 && unit <= 0xDFFF; second != open {
			return true
		}
		open = unit >= 0xD800 && unit <= 0xDBFF
		rest = rest[step:]
	}
	return open
}

// Mode is the word for live or test that an acceptance carries.
func Mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}
