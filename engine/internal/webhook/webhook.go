// Package webhook is shared by the provider packages: it reads a bounded body, finds values in a
// provider's document, and collects object ids.
//
// The values of the key are checked strictly; every other value is optional. If a provider renames
// a field, the payment must still be recorded.
package webhook

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// MaxPayload is the largest payload of an engine.Acceptance, in bytes.
const MaxPayload = 512 << 10

// ReadBody reads a request's whole body. For a body longer than limit bytes, the error wraps a
// [*http.MaxBytesError].
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

// IsName reports whether s can be part of a key, with at most limit characters.
func IsName(s string, limit int) bool { return input.Name(s, limit) == "" }

// Storable reports whether the engine can store s: at most limit characters, valid UTF-8, no
// control characters. The empty string is storable.
func Storable(s string, limit int) bool {
	return input.Text(s, limit) == "" && !strings.ContainsFunc(s, unicode.IsControl)
}

// Text returns s if it is storable, and "" otherwise. It never cuts s, because a cut id could be
// another object's id.
func Text(s string, limit int) string {
	if !Storable(s, limit) {
		return ""
	}
	return s
}

// Payload returns body if it can be the payload of an acceptance, and nil otherwise: an unusual
// document must not prevent the receipt.
func Payload(body []byte) []byte {
	if input.JSON(body, MaxPayload) != "" {
		return nil
	}
	return body
}

// Mode returns the Mode of an acceptance: "live" or "test".
func Mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}
