package callback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// TypeReprocess is the type of a repair callback. A receiver refuses other types.
const TypeReprocess = "effect.reprocess"

// Body is the JSON body of a callback, in the order of the wire format.
type Body struct {
	Type string `json:"type"`
	// ReplayID is the attempt's id, the same for all its tries.
	ReplayID string `json:"replay_id"`
	// Attempt counts the attempts of the incident, from 1.
	Attempt int    `json:"attempt"`
	Project string `json:"project"`
	// Mode is "live" or "test", or empty if the project has none.
	Mode string `json:"mode"`
	// EventID is our id of the effect; ProviderEventID is the provider's, of the event or of its object.
	EventID           string `json:"event_id"`
	IncidentID        string `json:"incident_id"`
	Provider          string `json:"provider"`
	ProviderEventID   string `json:"provider_event_id"`
	EventType         string `json:"event_type"`
	EffectType        string `json:"effect_type"`
	InternalReference string `json:"internal_reference"`
	// OccurredAt is absent if the provider's time is unknown.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	// Cause is "failed" or "missing".
	Cause       string    `json:"cause"`
	RequestedAt time.Time `json:"requested_at"`
	// Amount is in minor units of Currency; null if it is unknown.
	Amount   *int64 `json:"amount"`
	Currency string `json:"currency,omitempty"`
	Customer string `json:"customer,omitempty"`
	// Merchant is the seller: a shop's domain or a connected account.
	Merchant string `json:"merchant,omitempty"`
	// Objects are the provider's other ids.
	Objects []string `json:"objects,omitempty"`
	// SourceEventID is the provider's event, if ProviderEventID names an object.
	SourceEventID string `json:"source_event_id,omitempty"`
	// Payload is the event as received, if the project stores snapshots.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// ErrBody is wrapped by every error of [Decode]. The error's text names the member, never its
// value.
var ErrBody = errors.New("callback body refused")

// Encode encodes the body, with times in UTC. The payload's numbers and texts are not changed. It
// fails if the payload is not JSON, and for a time that JSON cannot represent.
func (b Body) Encode() ([]byte, error) {
	b.OccurredAt, b.RequestedAt = b.OccurredAt.UTC(), b.RequestedAt.UTC()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(b) != nil {
		// The encoder's own message may quote the payload.
		return nil, errors.New("the callback's body cannot be encoded: a time or the payload is not valid")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Decode decodes a body. It ignores unknown members, because a newer sender may add some. Names
// must match exactly and occur once. If the type is unknown, nothing else is required. Every error
// wraps [ErrBody].
func Decode(body []byte) (Body, error) {
	known, err := members(body)
	if err != nil {
		return Body{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	var b Body
	for _, m := range []struct {
		name   string
		target any
	}{
		{"type", &b.Type},
		{"replay_id", &b.ReplayID},
		{"attempt", &b.Attempt},
		{"project", &b.Project},
		{"mode", &b.Mode},
		{"event_id", &b.EventID},
		{"incident_id", &b.IncidentID},
		{"provider", &b.Provider},
		{"provider_event_id", &b.ProviderEventID},
		{"event_type", &b.EventType},
		{"effect_type", &b.EffectType},
		{"internal_reference", &b.InternalReference},
		{"occurred_at", &b.OccurredAt},
		{"cause", &b.Cause},
		{"requested_at", &b.RequestedAt},
		{"amount", &b.Amount},
		{"currency", &b.Currency},
		{"customer", &b.Customer},
		{"merchant", &b.Merchant},
		{"objects", &b.Objects},
		{"source_event_id", &b.SourceEventID},
		{"payload", &b.Payload},
	} {
		if value, there := known[m.name]; there && json.Unmarshal(value, m.target) != nil {
			return Body{}, fmt.Errorf("%w: %s has the wrong type", ErrBody, m.name)
		}
	}
	if name := b.missing(); name != "" {
		return Body{}, fmt.Errorf("%w: %s is missing", ErrBody, name)
	}
	return b, nil
}

// missing returns the name of the first required member that is missing.
func (b Body) missing() string {
	if b.Type == "" {
		return "type"
	}
	if b.Type != TypeReprocess {
		return ""
	}
	for _, r := range []struct{ name, value string }{
		{"replay_id", b.ReplayID},
		{"project", b.Project},
		{"event_id", b.EventID},
		{"incident_id", b.IncidentID},
		{"provider", b.Provider},
		{"provider_event_id", b.ProviderEventID},
		{"effect_type", b.EffectType},
	} {
		if r.value == "" {
			return r.name
		}
	}
	if b.Attempt < 1 {
		return "attempt"
	}
	return ""
}

// members splits one JSON object. It refuses repeated names: parsers disagree on which of the two
// counts.
func members(body []byte) (map[string]json.RawMessage, error) {
	malformed := errors.New("it is not one JSON object")
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed
	}
	found := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return nil, malformed
		}
		if _, twice := found[name]; twice {
			return nil, errors.New("a member occurs twice")
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, malformed
		}
		found[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed
	}
	return found, nil
}
