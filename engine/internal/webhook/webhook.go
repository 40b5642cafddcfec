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
	"strings"
	"unicode"

	"github.com/sendpromptly/sendpromptly/internal/input"
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

// IsName reports whether s can be part of a key, of at most limit characters.
func IsName(s string, limit int) bool { return input.Name(s, limit) == "" }

// Storable reports whether s is kept as it is: at most limit characters, valid
// UTF-8, no control characters. The empty string is storable.
func Storable(s string, limit int) bool {
	return input.Text(s, limit) == "" && !strings.ContainsFunc(s, unicode.IsControl)
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
// where not every reader would read it alike: such a document must not keep its
// effect from being watched.
func Payload(body []byte) []byte {
	if input.JSON(body, MaxPayload) != "" {
		return nil
	}
	return body
}

// Mode is the word for live or test that an acceptance carries.
func Mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}
