package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer is the address of the connection, invalid if there is none, as for a socket.
func peer(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// ClientAddress is the client's address: the peer, or what trusted proxies report. The last address in
// X-Forwarded-For that is not a trusted proxy counts, because everything before it may be forged.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && within(client, trusted); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop.Unmap().WithZone("")
	}
	return client
}

// FromLoopback says whether a request comes from this machine and not through a proxy on it. Headers can only
// remove the trust.
func FromLoopback(r *http.Request) bool {
	for _, forwarded := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if r.Header.Get(forwarded) != "" {
			return false
		}
	}
	return peer(r).IsLoopback()
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}
