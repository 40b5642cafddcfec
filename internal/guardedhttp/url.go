package guardedhttp

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxURL bounds a URL, in bytes.
const maxURL = 2048

// CheckURL refuses a new setting that the client could never reach. A URL must be absolute, at most
// 2,048 bytes long, and have a host but no user name and no fragment. An https URL may have any
// host name, and any address that is public or allowed. An http URL may have an allowed address. If
// any network is allowed, it may also have a name that cannot be public: one without a dot, or one
// that ends in .localhost, .local or .internal. Names are not resolved here; their addresses are
// checked when they are dialled.
//
// The error completes a sentence that starts with the setting's name, and never repeats the URL.
func CheckURL(raw string, allow []netip.Prefix) error {
	if len(raw) > maxURL {
		return errors.New("is longer than 2048 bytes")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("is not a URL")
	}
	port, err := strconv.ParseUint("0"+u.Port(), 10, 32)
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Opaque != "", u.Hostname() == "":
		return errors.New("must be absolute, such as https://app.example.com/repair")
	case u.User != nil:
		return errors.New("must not contain a user name or password")
	case strings.Contains(raw, "#"):
		return errors.New("must not contain a fragment")
	case err != nil, port > 65535, strings.HasSuffix(u.Host, ":"):
		return errors.New("has a port that does not exist")
	}
	return checkHost(u.Hostname(), u.Scheme == "https", newGuard(allow))
}

func checkHost(host string, secure bool, g guard) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		switch {
		case g.allowed(ip), secure && g.public(ip):
			return nil
		case secure:
			return errors.New("is not a public address and not in an allowed network")
		}
		return errors.New("must be https outside of the allowed networks")
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case !isName(name):
		return errors.New("has a host that is neither a name in ASCII nor an address")
	case last[0] >= '0' && last[0] <= '9':
		// No such domain exists, and resolvers read them as addresses.
		return errors.New("must write its address in the usual form, such as 203.0.113.7")
	case last == "localhost":
		if !g.allowed(netip.AddrFrom4([4]byte{127, 0, 0, 1})) && !g.allowed(netip.IPv6Loopback()) {
			return errors.New("is not a public address and not in an allowed network")
		}
	case !secure && (len(g.networks) == 0 || strings.Contains(name, ".") && last != "local" && last != "internal"):
		return errors.New("must be https outside of the allowed networks")
	}
	return nil
}

// isName reports whether s is a host name in ASCII: non-empty labels of letters, digits, "-" and
// "_".
func isName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return len(s) <= 253
}
