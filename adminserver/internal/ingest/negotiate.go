package ingest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// negotiate checks the headers: this API accepts and returns JSON only.
func negotiate(header http.Header) *problem {
	accept := strings.Join(header.Values("Accept"), ",")
	switch {
	case strings.TrimSpace(accept) == "":
		return fail("missing_accept_header", "Send Accept: application/json.")
	case !acceptsJSON(accept):
		return fail("not_acceptable", "This API answers in JSON: send Accept: application/json.")
	case !declaresJSON(header):
		return fail("unsupported_media_type", "Send Content-Type: application/json, in UTF-8 and without a content encoding.")
	}
	return nil
}

// acceptsJSON reports whether a range that includes JSON has a weight above zero. As in HTTP, the most
// specific range decides.
func acceptsJSON(accept string) bool {
	best, accepted := 0, false
	for entry := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		specific := 0
		switch {
		case isJSON(kind):
			specific = 3
		case kind == "application/*":
			specific = 2
		case kind == "*/*":
			specific = 1
		}
		if specific == 0 || specific < best {
			continue
		}
		weight := 1.0
		if text, given := parameters["q"]; given {
			if weight, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		accepted = weight > 0 || specific == best && accepted
		best = specific
	}
	return accepted
}

// declaresJSON requires one Content-Type of JSON in UTF-8, and no content encoding.
func declaresJSON(header http.Header) bool {
	declared := header.Values("Content-Type")
	if len(declared) != 1 {
		return false
	}
	kind, parameters, err := mime.ParseMediaType(declared[0])
	if err != nil || !isJSON(kind) {
		return false
	}
	if charset, given := parameters["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	encoding := header.Get("Content-Encoding")
	return encoding == "" || strings.EqualFold(encoding, "identity")
}

// isJSON accepts application/json and every type that ends with +json.
func isJSON(kind string) bool {
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// bearer returns the request's API key; "" if there is none, or if it does not have the form of a key.
func bearer(header http.Header) string {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, key, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || len(key) != len("sk_")+40 || !strings.HasPrefix(key, "sk_") {
		return ""
	}
	return key
}

// idempotencyKey returns the request's idempotency key: 1 to 255 visible ASCII characters. "" if there is
// none.
func idempotencyKey(header http.Header) string {
	values := header.Values("Idempotency-Key")
	if len(values) != 1 || len(values[0]) > 255 {
		return ""
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c <= ' ' || c > '~' {
			return ""
		}
	}
	return values[0]
}
