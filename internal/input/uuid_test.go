package input_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/id"
	"github.com/sendpromptly/sendpromptly/internal/input"
)

func TestUUIDTakesAnyCaseAndWritesLowerCase(t *testing.T) {
	t.Parallel()
	const lower = "0190f2a4-1b2c-7d3e-8f40-0123456789ab"
	for text, want := range map[string]string{
		lower:                                  lower,
		"0190F2A4-1B2C-7D3E-8F40-0123456789AB": lower,
		"0190f2a4-1b2c-7d3e-8f40-0123456789a":  "",
		"0190f2a41b2c7d3e8f400123456789ab":     "",
		"0190f2a4-1b2c-7d3e-8f40-0123456789ag": "",
		"0190f2a4x1b2c-7d3e-8f40-0123456789ab": "",
		"{190f2a4-1b2c-7d3e-8f40-0123456789a}": "",
		"00000000-0000-0000-0000-000000000000": "",
		"":                                     "",
	} {
		if got := input.CanonicalUUID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if reason := input.UUID(text); (reason == "") != (want != "") {
			t.Errorf("%q: %q", text, reason)
		}
	}
	if made := id.New(); input.CanonicalUUID(made) != made {
		t.Errorf("an id that we made, %s, is not canonical", made)
	}
}
