package incidents_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

func TestTheOverviewTellsHowAProjectStands(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for i, event := range []string{"evt_1", "evt_2", "evt_3", "evt_4"} {
		s.accept(engine.Acceptance{Key: credits(event), Timeout: time.Duration(i+1) * time.Minute})
	}
	s.failed(credits("evt_1"), "boom")
	s.Travel(2*time.Minute + time.Second)
	two := s.RequireIncident(credits("evt_2"), engine.CauseMissing)
	needs(s.e.Reprocess(t.Context(), two.ID, "ada"))(t)
	s.succeed(credits("evt_1"))
	s.Travel(time.Minute)
	s.fold(func() bool {
		return s.count(`SELECT coalesce(sum(receipts), 0) + count(*) FILTER (WHERE recovered > 0) FROM sendpromptly.statistics`) == 5
	})
	s.fold(func() bool { return true }) // a second pass must count nothing twice
	o := needs(s.st.Incidents.Statistics.Overview(t.Context(), "default"))(t)
	if o.Owed != 2 || o.Overdue != 1 || o.Open != 1 || o.OpenByCause[engine.CauseMissing] != 1 || o.Reprocessing != 1 ||
		o.CallbacksWaiting != 1 {
		t.Errorf("overview = %+v", o)
	}
	if o.RecoveredToday != 1 || o.MedianRecovery < 2*time.Minute || o.MedianRecovery > 3*time.Minute {
		t.Errorf("recovered %d after %v", o.RecoveredToday, o.MedianRecovery)
	}
	var receipts, failures, recoveries int
	for i, b := range o.Series {
		receipts, failures, recoveries = receipts+b.Receipts, failures+b.Failures, recoveries+b.Recoveries
		if i > 0 && b.At.Sub(o.Series[i-1].At) != 30*time.Minute {
			t.Errorf("a gap at %v", b.At)
		}
	}
	if receipts != 4 || failures != 2 || recoveries != 1 || len(o.Series) != 48 {
		t.Errorf("%d receipts, %d failures, %d recoveries in %d buckets", receipts, failures, recoveries, len(o.Series))
	}
	minutes := needs(s.st.Incidents.Statistics.Series(t.Context(), "default", time.Hour, time.Minute))(t)
	if len(minutes) != 60 {
		t.Errorf("%d minutes", len(minutes))
	}
	var field *engine.FieldError
	for _, test := range [][2]time.Duration{
		{time.Hour, time.Second},
		{time.Minute, time.Hour},
		{40 * 24 * time.Hour, time.Hour},
		{30 * 24 * time.Hour, time.Minute},
	} {
		if _, err := s.st.Incidents.Statistics.Series(t.Context(), "default", test[0], test[1]); !errors.As(err, &field) {
			t.Errorf("%v by %v: %v", test[0], test[1], err)
		}
	}
}
