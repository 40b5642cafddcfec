package engine

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/id"
)

// cut makes any text storable: invalid UTF-8 is replaced, NUL is dropped, and
// what is over the limit is cut on a rune boundary. It is for messages, which
// must never be the reason that a failure goes unrecorded.
func cut(s string, limit int) string {
	if len(s) > limit {
		end := limit
		for back := 0; back < utf8.UTFMax-1 && !utf8.RuneStart(s[end]); back++ {
			end--
		}
		s = s[:end]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// optional is nil for an empty text, which Postgres then stores as null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// value is the text behind a pointer, empty for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// interval writes a duration as Postgres reads it, in whole microseconds.
func interval(d time.Duration) string {
	return strconv.FormatInt(d.Microseconds(), 10) + " microseconds"
}

// validID is the rule for ids that we gave out.
func validID(field, s string) error {
	if !id.Valid(s) {
		return &FieldError{field, "is not an id of ours, a UUID"}
	}
	return nil
}

// validTx refuses a nil transaction, also one wrapped in an interface, before
// its methods would panic.
func validTx(tx pgx.Tx) error {
	if tx == nil {
		return &FieldError{"tx", "is nil"}
	}
	if v := reflect.ValueOf(tx); v.Kind() == reflect.Pointer && v.IsNil() {
		return &FieldError{"tx", "is nil"}
	}
	return nil
}

// validPayload accepts a JSON value that every reader agrees on: valid UTF-8,
// no lone surrogate escapes, bounded.
func validPayload(p json.RawMessage) error {
	const limit = 512 << 10
	switch {
	case len(p) > limit:
		return &FieldError{"Payload", "is longer than 512 KiB"}
	case !utf8.Valid(p) || !json.Valid(p):
		return &FieldError{"Payload", "is not valid JSON in UTF-8"}
	case loneSurrogate(p):
		return &FieldError{"Payload", "holds half of a surrogate pair"}
	}
	return nil
}

// loneSurrogate looks for \ud800–\udfff escapes that are not a pair, in valid JSON.
func loneSurrogate(p []byte) bool {
	high := false
	for i := 0; i < len(p); i++ {
		unit := uint64(0)
		if p[i] == '\\' && i+1 < len(p) {
			i++
			if p[i] == 'u' && i+4 < len(p) {
				unit, _ = strconv.ParseUint(string(p[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		low := unit >= 0xDC00 && unit <= 0xDFFF
		if high != low {
			return true
		}
		high = unit >= 0xD800 && unit <= 0xDBFF
	}
	return high
}
