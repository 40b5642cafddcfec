// Package guardedhttp is the HTTP client for all outgoing requests: repair callbacks, alerts, OIDC.
// It connects only to public addresses over https and to addresses in allowed networks over https
// or http, whatever a URL says and resolves to. It follows no redirect, uses no proxy, keeps no
// cookies, and limits time and size.
package guardedhttp

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Timeout bounds a whole exchange: the lookup, connection, request, and reading the answer.
const Timeout = 15 * time.Second

// MaxBody is how much of an answer can be read, in bytes. Reading more returns an error that wraps
// a [*http.MaxBytesError]. Most callers need only [Text].
const MaxBody = 1 << 20

// userAgent identifies us to the operator of the other side.
const userAgent = "SendPromptly (+https://github.com/sendpromptly/sendpromptly)"

// ErrBlocked is wrapped by every refusal to connect: the address is in no allowed network, and it
// is not public or the URL is http.
var ErrBlocked = errors.New("blocked: not a public address over https, and not in an allowed network")

// New returns a client for public addresses over https and for the allowed networks over https and
// http. A redirect is returned as the answer. The address is checked when it is dialled, after all
// resolving. Share one client, and call its CloseIdleConnections at the end.
func New(allow []netip.Prefix) *http.Client { return newClient(allow, nil) }

// newClient takes a resolver for tests; nil is the system's.
func newClient(allow []netip.Prefix, resolver *net.Resolver) *http.Client {
	g := newGuard(allow)
	return &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{
			// Two pools, so that a connection checked for one scheme is never
			// used for the other.
			https: newTransport(resolver, func(ip netip.Addr) bool { return g.allowed(ip) || g.public(ip) }),
			http:  newTransport(resolver, g.allowed),
		},
	}
}

func newTransport(resolver *net.Resolver, reachable func(netip.Addr) bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout:  5 * time.Second,
		Resolver: resolver,
		// Control sees each address just before the connection is made.
		Control: func(network, address string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" || !reachable(target.Addr()) {
				return ErrBlocked
			}
			return nil
		},
	}
	return &http.Transport{
		Proxy:                  nil, // not even the environment's
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true, // a custom dialer turns it off
		DisableCompression:     true, // a small answer must not unfold into a large one
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
}

// transport picks the pool, and refuses URLs that are invalid for every address.
type transport struct{ https, http *http.Transport }

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	through, err := t.pick(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // RoundTrip must close it, also on errors
		}
		return nil, err
	}
	if _, named := r.Header["User-Agent"]; !named {
		// A RoundTripper may not change the request that it was given.
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", userAgent)
	}
	response, err := through.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, MaxBody)
	return response, nil
}

func (t *transport) pick(r *http.Request) (*http.Transport, error) {
	if r.URL.User != nil {
		return nil, fmt.Errorf("%w: the URL has a user name", ErrBlocked)
	}
	switch r.URL.Scheme {
	case "https":
		return t.https, nil
	case "http":
		return t.http, nil
	}
	return nil, fmt.Errorf("%w: the URL is neither https nor http", ErrBlocked)
}

// CloseIdleConnections is what http.Client's method of the same name calls.
func (t *transport) CloseIdleConnections() {
	t.https.CloseIdleConnections()
	t.http.CloseIdleConnections()
}

// guard decides which addresses may be reached.
type guard struct {
	networks []netip.Prefix
	special  *ssrf.Guardian
}

// wireServer has a public address, but exists only inside Azure, where it serves the host's agent.
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

func newGuard(allow []netip.Prefix) guard {
	return guard{allow, ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(wireServer))}
}

// allowed reports whether the address is in an allowed network. An IPv4-mapped IPv6 address counts
// as IPv4.
func (g guard) allowed(ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, network := range g.networks {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// public reports whether the address is on the public internet.
func (g guard) public(ip netip.Addr) bool { return g.special.SafeAddr(ip) == nil }

// WithoutURL removes the URL from a client's error: the URLs of alert channels are secrets, and a
// repair URL's query may be one.
func WithoutURL(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}
