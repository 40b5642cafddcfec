package input_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

func TestParseCursorReadsOnlyWhatStringWrites(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0-0", "7-12", "18446744073709551615-9223372036854775807"} {
		if c, reason := input.ParseCursor(text); reason != "" || c.String() != text {
			t.Errorf("%s: %v %q", text, c, reason)
		}
	}
	if c, reason := input.ParseCursor(""); reason != "" || c != (input.Cursor{}) {
		t.Errorf("the beginning: %v %q", c, reason)
	}
	for _, text := range []string{
		"-", "1", "1-", "-1", "010-1", "1-01", "+1-1", "1--1", "1-1 ", "0x1-1",
		"18446744073709551616-0", "1-1-1",
	} {
		if c, reason := input.ParseCursor(text); reason == "" {
			t.Errorf("%q was read as %v", text, c)
		}
	}
}
