package web

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestOnlyTrustedProxiesSayWhoAsks(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "", "203.0.113.9"},
		{"203.0.113.9:1", "127.0.0.1", "203.0.113.9"},
		{"10.1.1.1:1", "198.51.100.7", "198.51.100.7"},
		{"10.1.1.1:1", "127.0.0.1, 198.51.100.7, 10.2.2.2", "198.51.100.7"},
		{"10.1.1.1:1", "nonsense", "10.1.1.1"},
		{"[::ffff:10.1.1.1]:1", "2001:db8::1", "2001:db8::1"},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := ClientAddress(r, trusted).String(); got != test.want {
			t.Errorf("%s with %q: %s, want %s", test.peer, test.forwarded, got, test.want)
		}
	}
}

func TestAHeaderNeverMakesLoopback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		peer, forwarded string
		want            bool
	}{
		{"127.0.0.1:1", "", true},
		{"[::1]:1", "", true},
		{"203.0.113.9:1", "127.0.0.1", false},
		{"127.0.0.1:1", "127.0.0.1", false},
		{"@", "", false},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := FromLoopback(r); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
