package guardedhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// trap listens on every loopback address at one port and counts what arrives.
type trap struct {
	port            string
	accepted, bytes atomic.Int64
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	first, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{}
	_, tr.port, _ = net.SplitHostPort(first.Addr().String())
	listeners := []net.Listener{first}
	if six, err := net.Listen("tcp6", net.JoinHostPort("::1", tr.port)); err == nil {
		listeners = append(listeners, six)
	} else {
		t.Log("no IPv6 loopback here: its addresses are tried without a listener")
	}
	for _, l := range listeners {
		t.Cleanup(func() { _ = l.Close() })
		go tr.serve(l)
	}
	return tr
}

func (tr *trap) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		tr.accepted.Add(1)
		go func() {
			defer func() { _ = conn.Close() }()
			buffer := make([]byte, 4096)
			n, _ := conn.Read(buffer)
			tr.bytes.Add(int64(n))
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		}()
	}
}

func get(t *testing.T, client *http.Client, rawURL string) error {
	t.Helper()
	// Some hosts are no URL for the parser, and may still come from elsewhere.
	scheme, rest, _ := strings.Cut(rawURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	r := &http.Request{Method: "GET", URL: &url.URL{Scheme: scheme, Host: host, Path: "/"}, Header: http.Header{}}
	response, err := client.Do(r.WithContext(t.Context()))
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// loopback is every way we know of to write an address of this machine.
var loopback = []string{
	"127.0.0.1",
	"127.1",
	"127.255.255.254",
	"0.0.0.0",
	"0",
	"2130706433",
	"0x7f000001",
	"0x7f.1",
	"017700000001",
	"0177.0.0.1",
	"①②⑦.⓪.⓪.①",
	"127。0。0。1",
	"localhost",
	"LOCALHOST",
	"localhost.",
	"a.localhost",
	"[::1]",
	"[::]",
	"[0:0:0:0:0:0:0:1]",
	"[::ffff:127.0.0.1]",
	"[::ffff:7f00:1]",
	"[::127.0.0.1]",
	"[64:ff9b::127.0.0.1]",
	"[64:ff9b::7f00:1]",
	"[64:ff9b:1::7f00:1]",
	"[2002:7f00:1::]",
	"[2001:0:7f00:1::]",
	"[::1%25lo]",
}

func TestNoByteGoesToThisMachine(t *testing.T) {
	tr, client := newTrap(t), New(nil)
	for _, host := range loopback {
		for _, scheme := range []string{"http", "https"} {
			if err := get(t, client, scheme+"://"+host+":"+tr.port); err == nil {
				t.Errorf("%s to %s was answered", scheme, host)
			}
		}
	}
	if tr.accepted.Load() != 0 || tr.bytes.Load() != 0 {
		t.Errorf("%d connections, %d bytes", tr.accepted.Load(), tr.bytes.Load())
	}
}

// The same client reaches the same listener where it may: the test above does
// not pass for want of a connection.
func TestAllowedNetworksAreReachedByHTTP(t *testing.T) {
	tr := newTrap(t)
	client := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		if err := get(t, client, "http://"+host+":"+tr.port); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if tr.accepted.Load() != 3 || tr.bytes.Load() == 0 {
		t.Errorf("%d connections, %d bytes", tr.accepted.Load(), tr.bytes.Load())
	}
	// Another allowed network opens nothing here.
	if err := get(
		t,
		New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}),
		"http://127.0.0.1:"+tr.port,
	); !errors.Is(
		err,
		ErrBlocked,
	) {
		t.Errorf("got %v", err)
	}
	if tr.accepted.Load() != 3 {
		t.Error("a connection to a network that was not allowed")
	}
}

// fakeResolver answers every name with one address, as a hostile or rebound
// name server would.
func fakeResolver(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if n < 17 {
				continue
			}
			_, _ = server.WriteTo(dnsAnswer(buffer[:n], ip), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", server.LocalAddr().String())
	}}
}

// dnsAnswer repeats the question and, where it asks for an IPv4 address, gives
// it (RFC 1035, section 4).
func dnsAnswer(query []byte, ip [4]byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question, kind := query[12:end+5], query[end+2]
	answers := byte(0)
	if kind == 1 {
		answers = 1
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0}, question...)
	if answers == 1 {
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	return reply
}

func TestNamesThatLeadHereAreBlockedWhenDialled(t *testing.T) {
	tr := newTrap(t)
	resolver := fakeResolver(t, [4]byte{127, 0, 0, 1})
	for _, scheme := range []string{"http", "https"} {
		if err := get(t, newClient(nil, resolver), scheme+"://repair.example.com:"+tr.port); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	if tr.accepted.Load() != 0 {
		t.Error("a connection to a blocked address")
	}
	// With the network allowed the same name arrives: the resolver works.
	if err := get(
		t,
		newClient([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, resolver),
		"http://repair.example.com:"+tr.port,
	); err != nil {
		t.Error(err)
	}
	if tr.accepted.Load() != 1 {
		t.Errorf("%d connections", tr.accepted.Load())
	}
}

func TestSpecialAddressesAreNotPublic(t *testing.T) {
	g := newGuard(nil)
	for address, public := range map[string]bool{
		"1.1.1.1": true, "93.184.215.14": true, "168.63.129.15": true, "168.63.129.17": true, "2606:4700:4700::1111": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.192": false, "192.0.2.1": false,
		"192.88.99.1": false,
		"192.168.0.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false,
		"239.255.255.255": false,
		"240.0.0.1":       false, "255.255.255.255": false, "168.63.129.16": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:168.63.129.16": false,
		"::ffff:1.1.1.1":   false,
		"64:ff9b::1.1.1.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false,
		"2001:db8::1":      false,
		"2002:a9fe:a9fe::": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd00:ec2::254": false,
		"fe80::1": false, "fe80::1%lo": false,
		"fec0::1": false, "ff02::1": false,
	} {
		if got := g.public(netip.MustParseAddr(address)); got != public {
			t.Errorf("%s: public %v", address, got)
		}
	}
}

func TestHTTPIsNotSpokenWithTheInternet(t *testing.T) {
	resolver := fakeResolver(t, [4]byte{1, 1, 1, 1})
	for _, target := range []string{"http://1.1.1.1", "http://example.com"} {
		if err := get(
			t,
			newClient([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, resolver),
			target,
		); !errors.Is(
			err,
			ErrBlocked,
		) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestOtherURLsAreRefused(t *testing.T) {
	tr := newTrap(t)
	client := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	for name, raw := range map[string]string{
		"a user name": "http://user@127.0.0.1:" + tr.port,
		"a password":  "http://user:pass@127.0.0.1:" + tr.port,
		"a file":      "file:///etc/hosts",
		"ftp":         "ftp://127.0.0.1:" + tr.port,
		"a socket":    "unix://127.0.0.1:" + tr.port,
	} {
		t.Run(name, func(t *testing.T) {
			closed := false
			r, err := http.NewRequestWithContext(t.Context(), "POST", raw, &watched{strings.NewReader("body"), &closed})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Do(r); !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: %v", name, err)
			}
			if !closed {
				t.Errorf("%s: the request's body was left open", name)
			}
		})
	}
	if tr.accepted.Load() != 0 {
		t.Error("a connection for a URL that is refused")
	}
}

type watched struct {
	io.Reader
	closed *bool
}

func (w *watched) Close() error { *w.closed = true; return nil }
