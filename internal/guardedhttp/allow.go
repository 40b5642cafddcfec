package guardedhttp

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseAllow parses the setting of allowed networks: CIDRs or single addresses separated by commas,
// such as "127.0.0.0/8, ::1". A blank setting allows none. The error has the number of the invalid
// entry.
func ParseAllow(list string) ([]netip.Prefix, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var networks []netip.Prefix
	for i, entry := range strings.Split(list, ",") {
		network, err := parseNetwork(strings.TrimSpace(entry))
		if err != "" {
			return nil, fmt.Errorf("entry %d %s", i+1, err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// parseNetwork also refuses valid networks that are probably a mistake.
func parseNetwork(s string) (network netip.Prefix, problem string) {
	network, err := netip.ParsePrefix(s)
	if err != nil {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, "is neither a network such as 10.0.0.0/8 nor an address"
		}
		network = netip.PrefixFrom(ip, ip.BitLen())
	}
	switch {
	case network.Addr().Is4In6():
		return netip.Prefix{}, "is IPv4 written in IPv6: write it as IPv4"
	case network != network.Masked():
		return netip.Prefix{}, "has bits set after its length: it would allow more than the address it names"
	}
	return network, ""
}
