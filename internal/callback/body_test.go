package callback

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func example() Body {
	var nothing int64
	return Body{
		Type:              TypeReprocess,
		ReplayID:          "rp_1",
		Attempt:           1,
		Project:           "billing",
		Mode:              "live",
		EventID:           "0198-1",
		IncidentID:        "0198-2",
		Provider:          "stripe",
		ProviderEventID:   "evt_1",
		EventType:         "invoice.paid",
		EffectType:        "credit_grant",
		InternalReference: "acct_<1>",
		OccurredAt:        time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)),
		Cause:             "missing",
		RequestedAt:       time.Date(2026, 1, 1, 2, 30, 0, 5e8, time.UTC),
		Amount:            &nothing,
		Currency:          "USD",
		Customer:          "cus_1",
		Merchant:          "a.example",
		Objects:           []string{"in_1"},
		SourceEventID:     "evt_2",
		Payload:           []byte(`{"id": 9007199254740993, "t": "<ü>"}`),
	}
}

func TestTheBodyHasTheWiresMembersInItsOrder(t *testing.T) {
	const head = `{"type":"effect.reprocess","replay_id":"rp_1","attempt":1,"project":"billing","mode":"live",` +
		`"event_id":"0198-1","incident_id":"0198-2",` +
		`"provider":"stripe","provider_event_id":"evt_1","event_type":"invoice.paid","effect_type":"credit_grant",` +
		`"internal_reference":"acct_<1>",`
	for _, test := range []struct {
		name   string
		change func(*Body)
		want   string
	}{
		{"all of it", func(*Body) {}, head +
			`"occurred_at":"2026-01-01T00:00:00Z","cause":"missing","requested_at":"2026-01-01T02:30:00.5Z",` +
			`"amount":0,"currency":"USD","customer":"cus_1","merchant":"a.example","objects":["in_1"],"source_event_id":"evt_2",` +
			`"payload":{"id":9007199254740993,"t":"<ü>"}}`},
		{"what is optional left out", func(b *Body) {
			b.OccurredAt, b.Payload, b.Amount, b.Currency = time.Time{}, nil, nil, ""
			b.Customer, b.Merchant, b.Objects, b.SourceEventID = "", "", nil, ""
		}, head + `"cause":"missing","requested_at":"2026-01-01T02:30:00.5Z","amount":null}`},
	} {
		b := example()
		test.change(&b)
		if got, err := b.Encode(); err != nil || string(got) != test.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", test.name, err, got, test.want)
		}
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	want := example()
	encoded, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !got.OccurredAt.Equal(want.OccurredAt) || string(got.Payload) != `{"id":9007199254740993,"t":"<ü>"}` {
		t.Errorf("got %v, %s", got.OccurredAt, got.Payload)
	}
	got.OccurredAt, got.Payload, want.OccurredAt, want.Payload = time.Time{}, nil, time.Time{}, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestEncodeRefusesWhatIsNoJSON(t *testing.T) {
	for name, change := range map[string]func(*Body){
		"payload":      func(b *Body) { b.Payload = []byte(`{"card":`) },
		"requested_at": func(b *Body) { b.RequestedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		b := example()
		change(&b)
		if _, err := b.Encode(); err == nil || strings.Contains(err.Error(), "card") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecode(t *testing.T) {
	const valid = `"type":"effect.reprocess","replay_id":"r","attempt":1,"project":"p","event_id":"e","incident_id":"i",` +
		`"provider":"stripe","provider_event_id":"evt_1","effect_type":"x"`
	for _, test := range []struct{ name, body, reason string }{
		{"what is required", `{` + valid + `}`, ""},
		{"members of a newer sender", `{"later":{"a":[1]},` + valid + `,"more":null}`, ""},
		{"a name in another case is another member", `{"Replay_ID":"other",` + valid + `}`, ""},
		{"a type of a newer sender", `{"type":"effect.plan","plan":{}}`, ""},
		{"twice", `{"replay_id":"q",` + valid + `}`, "twice"},
		{"an unknown one twice", `{"a":1,"a":1,` + valid + `}`, "twice"},
		{"twice, once escaped", `{"\u0072eplay_id":"q",` + valid + `}`, "twice"},
		{"only in another case", `{"type":"effect.reprocess","Replay_ID":"r"}`, "replay_id is missing"},
		{"empty id", strings.Replace(`{`+valid+`}`, `"replay_id":"r"`, `"replay_id":""`, 1), "replay_id is missing"},
		{"null id", strings.Replace(`{`+valid+`}`, `"event_id":"e"`, `"event_id":null`, 1), "event_id is missing"},
		{"no type", `{"replay_id":"r"}`, "type is missing"},
		{"no attempt", strings.Replace(`{`+valid+`}`, `"attempt":1,`, ``, 1), "attempt is missing"},
		{"attempt zero", strings.Replace(`{`+valid+`}`, `"attempt":1`, `"attempt":0`, 1), "attempt is missing"},
		{"attempt as text", strings.Replace(`{`+valid+`}`, `"attempt":1`, `"attempt":"1"`, 1), "attempt has the wrong type"},
		{
			"attempt beyond 64 bits", strings.Replace(`{`+valid+`}`, `"attempt":1`, `"attempt":9223372036854775808`, 1),
			"attempt has the wrong type",
		},
		{"id as number", strings.Replace(`{`+valid+`}`, `"replay_id":"r"`, `"replay_id":7`, 1), "replay_id has the wrong type"},
		{"no time", `{` + valid + `,"occurred_at":"secret-7"}`, "occurred_at has the wrong type"},
		{"empty", ``, "not one JSON object"},
		{"null", `null`, "not one JSON object"},
		{"an array", `[{` + valid + `}]`, "not one JSON object"},
		{"two", `{` + valid + `}{}`, "not one JSON object"},
		{"cut short", `{` + valid, "not one JSON object"},
		{"a trailing comma", `{` + valid + `,}`, "not one JSON object"},
		{"no colon", `{"type" "x"}`, "not one JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.body))
			if test.reason == "" {
				if err != nil || got.Type == TypeReprocess && got.ReplayID != "r" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), test.reason) ||
				strings.Contains(err.Error(), "secret-7") {
				t.Errorf("got %v, want %q", err, test.reason)
			}
		})
	}
}

func TestEachRequiredMemberIsMissed(t *testing.T) {
	for name, empty := range map[string]func(*Body){
		"replay_id": func(b *Body) { b.ReplayID = "" }, "attempt": func(b *Body) { b.Attempt = 0 }, "project": func(b *Body) {
			b.Project = ""
		},
		"event_id": func(b *Body) { b.EventID = "" }, "incident_id": func(b *Body) { b.IncidentID = "" },
		"provider":          func(b *Body) { b.Provider = "" },
		"provider_event_id": func(b *Body) { b.ProviderEventID = "" }, "effect_type": func(b *Body) { b.EffectType = "" },
		"type": func(b *Body) { b.Type = "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := example()
			empty(&b)
			body, err := b.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(body); !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), ": "+name+" is missing") {
				t.Errorf("without %s: %v", name, err)
			}
		})
	}
}

// What is decoded can be said again, and means the same.
func FuzzDecode(f *testing.F) {
	encoded, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Add([]byte(`{"type":"effect.plan"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Decode(body)
		if err != nil {
			if !errors.Is(err, ErrBody) {
				t.Error(err)
			}
			return
		}
		again, err := b.Encode()
		if err != nil {
			// A time such as +24:00 can be read and not written.
			return
		}
		if c, err := Decode(again); err != nil || c.ReplayID != b.ReplayID || c.Attempt != b.Attempt {
			t.Errorf("%s became %s: %v", body, again, err)
		}
	})
}
