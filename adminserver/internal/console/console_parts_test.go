package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

func TestASentenceQuotesLittleAndLargeSumsAreGrouped(t *testing.T) {
	t.Parallel()
	long := tell(engine.Acceptance{Subject: strings.Repeat("é", 200) + "-end"}, engine.StateFailed, engine.CauseFailed, strings.Repeat("boom ", 200))
	if n := len([]rune(long.Who)); n != whoShown || !strings.HasSuffix(long.Who, "é-end") || !strings.Contains(long.Who, "…") {
		t.Errorf("%d characters of a long reference: %s", n, long.Who)
	}
	if n := len([]rune(long.Told)); n != toldShown || !strings.HasSuffix(long.Told, "…") {
		t.Errorf("%d characters of a long error: %s", n, long.Told)
	}
	for want, m := range map[string]engine.Money{"123\u202f456\u202f789\u00a0JPY": {Minor: 123456789, Currency: "JPY"}, "1999\u00a0JPY": {Minor: 1999, Currency: "JPY"},
		"-12\u202f345.67\u00a0EUR": {Minor: -1234567, Currency: "EUR"}, "0.05\u00a0EUR": {Minor: 5, Currency: "eur"}} {
		if got := money(m); got != want {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}

func TestAStoryIsOnePlainSentence(t *testing.T) {
	t.Parallel()
	paid := engine.Acceptance{Key: engine.Key{Effect: "credit_grant"}, EventType: "invoice.paid", Subject: "acct_1", Amount: engine.Money{Minor: 1999, Currency: "jpy"}, Timeout: 30 * time.Minute}
	other := engine.Acceptance{Key: engine.Key{Effect: "send_gift"}, EventType: "gift.bought"}
	for want, got := range map[string]story{
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. Nobody reported an outcome within 30\u00a0min.": tell(paid, engine.StateMissing, engine.CauseMissing, ""),
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. The last attempt failed: boom":                  tell(paid, engine.StateFailed, engine.CauseFailed, "boom"),
		"acct_1 paid 1999\u00a0JPY. Their credits have not been added. A repair is under way.":                         tell(paid, engine.StateReprocessing, engine.CauseFailed, "boom"),
		"acct_1 paid 1999\u00a0JPY. Their credits have been added. ":                                                   tell(paid, engine.StateApplied, engine.CauseFailed, "boom"),
		"acct_1 paid 1999\u00a0JPY. Their credits are still to be added. ":                                             tell(paid, engine.StateAwaiting, "", ""),
		"caused an event . The customer’s send gift has not been applied. ":                                            tell(other, engine.StateClosed, "", ""),
	} {
		if said := strings.TrimPrefix(got.Who+" "+got.Did+" "+got.Amount+". "+got.Owed+" "+got.Has+". "+strings.TrimSpace(got.Why+" "+got.Told), " "); said != want {
			t.Errorf("%q, want %q", said, want)
		}
	}
}

func TestAFilterStandsInTheURLAsAWhole(t *testing.T) {
	t.Parallel()
	query := url.Values{"show": {"failed"}, "q": {"in_1"}, "cause": {"failed"}, "provider": {"stripe"}, "event_type": {"invoice.paid"}, "effect": {"credit_grant"},
		"version": {"1"}, "customer": {"cus_1"}, "reference": {"acct_1"}, "from": {"2026-01-01"}, "to": {"2026-01-31"}}
	f, err := readFilter(query)
	if err != nil {
		t.Fatal(err)
	}
	asked := f.asked()
	if want := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC); !asked.OpenedBefore.Equal(want) {
		t.Errorf("until the 31st is before %s, want %s", asked.OpenedBefore, want)
	}
	back := filterOf(asked)
	if !slices.Equal(back.Values(), f.Values()) || len(f.Values()) != 2*len(query) {
		t.Errorf("%v came back as %v", f.Values(), back.Values())
	}
	for _, show := range shows {
		f, err := readFilter(url.Values{"show": {show}})
		if err != nil || filterOf(f.asked()).Show != show {
			t.Errorf("%s came back as %s, %v", show, filterOf(f.asked()).Show, err)
		}
	}
}

func TestAChartKeepsItsScaleAndShowsOneBesideAThousand(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
	c := newChart("receipts", []incidents.Bucket{{At: at, Receipts: 1}, {At: at.Add(30 * time.Minute), Receipts: 1000}, {}},
		func(b incidents.Bucket) int { return b.Receipts })
	if c.Total != 1001 || c.Top != 1000 || c.Half() != 500 || c.Width != 30 {
		t.Errorf("%+v", c)
	}
	if c.Bars[0].Height < 1 || c.Bars[1].Height != chartHeight || c.Bars[2].Height != 0 {
		t.Errorf("heights: %+v", c.Bars)
	}
	if c.Bars[0].Says != "31 Jan 23:30 UTC: 1 receipts" {
		t.Errorf("it says %q", c.Bars[0].Says)
	}
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 5: 10, 11: 20, 30: 40, 41: 100, 99_999: 100_000} {
		if got := roundUp(n); got != want {
			t.Errorf("the scale of %d ends at %d, want %d", n, got, want)
		}
	}
}

func TestDurationsAreWrittenInTheirLargestUnits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 ms", 35 * time.Millisecond: "35 ms", time.Second: "1 s", 90 * time.Second: "1 min 30 s", time.Hour + 5*time.Second: "1 h",
		26*time.Hour + 3*time.Minute: "1 d 2 h", 30 * 24 * time.Hour: "30 d"} {
		if got := strings.ReplaceAll(spell(d), "\u00a0", " "); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	if got := thousands(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("%q", got)
	}
}

func TestARepairIsContradictedByWhatUndidIt(t *testing.T) {
	t.Parallel()
	later := func(effect string, state engine.State) incidents.RelatedEffect {
		return incidents.RelatedEffect{Effect: incidents.Effect{Acceptance: engine.Acceptance{Key: engine.Key{Effect: effect}}, State: state}, SameSubject: true, Later: true}
	}
	earlier := later("access_revocation", engine.StateApplied)
	earlier.Later = false
	for _, c := range []struct {
		effect  string
		related incidents.RelatedEffect
		against bool
	}{
		{"access_unlock", later("access_revocation", engine.StateApplied), true},
		{"access_unlock", later("access_revocation", engine.StateFailed), false},
		{"access_unlock", earlier, false},
		{"credit_grant", later("credit_grant", engine.StateApplied), false},
		{"seat_update", later("seat_update", engine.StateApplied), true},
		{"of_their_own", later("anything", engine.StateApplied), true},
	} {
		if got := len(contradicting(c.effect, []incidents.RelatedEffect{c.related})) == 1; got != c.against {
			t.Errorf("%s after %s %s: %v", c.related.Acceptance.Effect, c.effect, c.related.State, got)
		}
	}
}
