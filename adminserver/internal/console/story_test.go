package console

import (
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

func TestASentenceQuotesLittleAndLargeSumsAreGrouped(t *testing.T) {
	t.Parallel()
	long := tell(
		engine.Acceptance{Subject: strings.Repeat("é", 200) + "-end"},
		engine.StateFailed,
		engine.CauseFailed,
		strings.Repeat("boom ", 200),
	)
	if n := len([]rune(long.Who)); n != whoShown || !strings.HasSuffix(long.Who, "é-end") || !strings.Contains(long.Who, "…") {
		t.Errorf("%d characters of a long reference: %s", n, long.Who)
	}
	if n := len([]rune(long.Told)); n != toldShown || !strings.HasSuffix(long.Told, "…") {
		t.Errorf("%d characters of a long error: %s", n, long.Told)
	}
	for want, m := range map[string]engine.Money{
		"123\u202f456\u202f789\u00a0JPY": {Minor: 123456789, Currency: "JPY"}, "1999\u00a0JPY": {Minor: 1999, Currency: "JPY"},
		"-12\u202f345.67\u00a0EUR": {Minor: -1234567, Currency: "EUR"}, "0.05\u00a0EUR": {Minor: 5, Currency: "eur"},
	} {
		if got := money(m); got != want {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}

func TestAStoryIsOnePlainSentence(t *testing.T) {
	t.Parallel()
	paid := engine.Acceptance{
		Key:       engine.Key{Effect: "credit_grant"},
		EventType: "invoice.paid",
		Subject:   "acct_1",
		Amount:    engine.Money{Minor: 1999, Currency: "jpy"},
		Timeout:   30 * time.Minute,
	}
	other := engine.Acceptance{Key: engine.Key{Effect: "send_gift"}, EventType: "gift.bought"}
	for want, got := range map[string]story{
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. No outcome was reported within 30\u00a0min.": tell(
			paid, engine.StateMissing, engine.CauseMissing, "",
		),
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. The last attempt failed: boom": tell(
			paid, engine.StateFailed, engine.CauseFailed, "boom",
		),
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. A repair is in progress.": tell(
			paid, engine.StateReprocessing, engine.CauseFailed, "boom",
		),
		"acct_1 paid 1999\u00a0JPY. Their credits have been added. ": tell(
			paid, engine.StateApplied, engine.CauseFailed, "boom",
		),
		"acct_1 paid 1999\u00a0JPY. Their credits are still to be added. " +
			"": tell(paid, engine.StateAwaiting, "", ""),
		"caused an event . The customer’s send gift has not been applied. " +
			"": tell(other, engine.StateClosed, "", ""),
	} {
		if said := strings.TrimPrefix(
			got.Who+" "+got.Did+" "+got.Amount+". "+got.Owed+" "+got.Has+". "+strings.TrimSpace(got.Why+" "+got.Told),
			" ",
		); said != want {
			t.Errorf("%q, want %q", said, want)
		}
	}
}
