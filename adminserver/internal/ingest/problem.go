package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// problem is an error as callers see it. Its texts never repeat what was sent, except the names of fields.
type problem struct {
	code       string
	message    string
	details    map[string][]string
	retryAfter time.Duration
}

func (p *problem) Error() string { return p.code }

// statuses are the codes that the API knows.
var statuses = map[string]int{
	"missing_idempotency_key": http.StatusBadRequest,
	"unauthorized":            http.StatusUnauthorized,
	"subscription_required":   http.StatusPaymentRequired,
	"not_found":               http.StatusNotFound,
	"missing_accept_header":   http.StatusNotAcceptable,
	"not_acceptable":          http.StatusNotAcceptable,
	"idempotency_conflict":    http.StatusConflict,
	"payload_too_large":       http.StatusRequestEntityTooLarge,
	"too_many_fields":         http.StatusRequestEntityTooLarge,
	"unsupported_media_type":  http.StatusUnsupportedMediaType,
	"validation_error":        http.StatusUnprocessableEntity,
	"rate_limited":            http.StatusTooManyRequests,
	"internal_error":          http.StatusInternalServerError,
}

func fail(code, message string) *problem { return &problem{code: code, message: message} }

// invalid is a validation_error about one field, or about the body as a whole.
func invalid(field, reason string) *problem {
	return &problem{
		code:    "validation_error",
		message: "The body is not valid: see details.",
		details: map[string][]string{field: {reason}},
	}
}

// body is the error in its envelope.
func (p *problem) body() []byte {
	type inner struct {
		Code    string              `json:"code"`
		Message string              `json:"message"`
		Details map[string][]string `json:"details,omitempty"`
	}
	body, err := json.Marshal(map[string]inner{"error": {p.code, p.message, p.details}})
	if err != nil { // strings and maps of strings always marshal
		return []byte(`{"error":{"code":"internal_error","message":"The answer could not be written."}}`)
	}
	return body
}

func (p *problem) write(w http.ResponseWriter) {
	if p.retryAfter > 0 {
		// Rounded up: an earlier retry would be refused again.
		w.Header().Set("Retry-After", strconv.FormatInt(int64((p.retryAfter+time.Second-1)/time.Second), 10))
	}
	if p.code == "unauthorized" {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	write(w, statuses[p.code], p.body())
}

func write(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone if this fails; the key makes a retry safe
}
