package callback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// TypeReprocess is the type of a callback that asks for a repair. A receiver
// refuses a type that it does not know.
const TypeReprocess = "effect.reprocess"

// Body is what a callback says. The members are the wire's, in its order.
type Body struct {
	Type string `json:"type"`
	// ReplayID is the attempt's id: the same over all of its tries.
	ReplayID string `json:"replay_id"`
	// Attempt counts the attempts of the incident, from 1.
	Attempt int    `json:"attempt"`
	Project string `json:"project"`
	// Mode is "live" or "test", empty where the project has none.
	Mode string `json:"mode"`
	// EventID is our id of the effect; ProviderEventID is the provider's, of the event or of its object.
	EventID           string `json:"event_id"`
	IncidentID        string `json:"incident_id"`
	Provider          string `json:"provider"`
	ProviderEventID   string `json:"provider_event_id"`
	EventType         string `json:"event_type"`
	EffectType        string `json:"effect_type"`
	InternalReference string `json:"internal_reference"`
	// OccurredAt is absent where the provider's time is not known.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	// Cause is "failed" or "missing".
	Cause       string    `json:"cause"`
	RequestedAt time.Time `json:"requested_at"`
	// Amount counts minor units of Currency; it is null where no amount is known.
	Amount   *int64 `json:"amount"`
	Currency string `json:"currency,omitempty"`
	Customer string `json:"customer,omitempty"`
	// Merchant is on whose behalf: a shop's domain, a connected account.
	Merchant string `json:"merchant,omitempty"`
	// Objects are the provider's other ids.
	Objects []string `json:"objects,omitempty"`
	// SourceEventID is the provider's event, where ProviderEventID names an object.
	SourceEventID string `json:"source_event_id,omitempty"`
	// Payload is the event as received, only where the project keeps it.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// ErrBody is wrapped by every refusal of a body. The text around it names the
// member and never its value.
var ErrBody = errors.New("callback body refused")

// Encode writes the body, with times in UTC. The payload's numbers and texts
// stay as they are. It fails for a payload that is not JSON and for a time that
// JSON cannot hold.
func (b Body) Encode() ([]byte, error) {
	b.OccurredAt, b.RequestedAt = b.OccurredAt.UTC(), b.RequestedAt.UTC()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(b) != nil {
		// The encoder's own message may quote the payload.
		return nil, errors.New("the callback's body cannot be written: a time or the payload is not valid")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Decode reads a body. Members that it does not know are skipped, for a newer
// sender may have more to say; names must match exactly and appear once. The
// type may be unknown: then nothing else is required. Every error wraps
// [ErrBody].
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
			return Body{}, fmt.Errorf("%w: %s is of the wrong kind", ErrBody, m.name)
		}
	}
	if name := b.missing(); name != "" {
		return Body{}, fmt.Errorf("%w: %s is missing", ErrBody, name)
	}
	return b, nil
}

// missing names the first member without which nothing can be done.
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

// members splits one JSON object, refusing names that appear twice: readers
// disagree on which of the two counts.
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
			return nil, errors.New("a member appears twice")
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
