package proofpage

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// slow is a reader; it looks whether a page is still being made when the answer
// comes.
type slow struct {
	http.ResponseWriter
	limits *limits
	t      *testing.T
}

func (s slow) Write(b []byte) (int, error) {
	if n := len(s.limits.making); n > 0 {
		s.t.Errorf("%d pages are still being made", n)
	}
	return s.ResponseWriter.Write(b)
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	l, got := newLimits(), httptest.NewRecorder()
	handler := l.bounded(func(w http.ResponseWriter, _ *http.Request) {
		if len(l.making) != 1 {
			t.Error("the page is made outside of the limit")
		}
		w.Header().Set("X-Test", "yes")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("gone"))
	})
	handler.ServeHTTP(slow{got, l, t}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/p/x", nil))
	if got.Code != http.StatusNotFound || got.Body.String() != "gone" || got.Header().Get("X-Test") != "yes" {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}

// A page that panics gives its place back.
func TestAPanicGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	l := newLimits()
	func() {
		defer func() { _ = recover() }()
		l.bounded(func(http.ResponseWriter, *http.Request) { panic("broken") }).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/p/x", nil))
	}()
	if n := len(l.making); n != 0 {
		t.Errorf("%d places are lost", n)
	}
}

// One network cannot use up what others may ask for, and what is remembered of
// addresses is bounded.
func TestAddressesAreCountedApart(t *testing.T) {
	t.Parallel()
	l := newLimits()
	one, neighbour, other := netip.MustParseAddr(
		"2001:db8::1",
	), netip.MustParseAddr(
		"2001:db8::2",
	), netip.MustParseAddr(
		"2001:db8:0:1::1",
	)
	for range burst {
		l.allow(one)
	}
	if l.allow(one) || l.allow(neighbour) {
		t.Error("a network may go on")
	}
	if !l.allow(other) {
		t.Error("another network may not ask")
	}
	at := netip.MustParseAddr("10.0.0.0")
	for range 2 * addresses {
		at = at.Next()
		l.allow(at)
	}
	if len(l.by) > addresses {
		t.Errorf("%d addresses are remembered", len(l.by))
	}
}
