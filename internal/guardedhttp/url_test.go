package guardedhttp

import (
	"net/netip"
	"strings"
	"testing"
)

const ok = "" // no problem

var urlTests = []struct {
	raw, without, with string // the problem without and with networks allowed
}{
	{"https://app.example.com/repair", ok, ok},
	{"https://app.example.com:8443/repair?key=1", ok, ok},
	{"HTTPS://APP.example.com", ok, ok},
	{"https://xn--bcher-kva.example/", ok, ok},
	{"https://app.example.com./", ok, ok},
	{"https://93.184.215.14/", ok, ok},
	{"https://[2606:4700:4700::1111]/", ok, ok},
	{"https://app/", ok, ok}, // a name of a private resolver: judged when dialled
	{"http://app.example.com/", "https", "https"},
	{"http://93.184.215.14/", "https", "https"},
	{"http://app:8080/", "https", ok},
	{"http://app.svc.cluster.local/", "https", ok},
	{"http://app.internal/", "https", ok},
	{"http://localhost:8080/", "public", ok},
	{"https://localhost/", "public", ok},
	{"https://a.LOCALHOST./", "public", ok},
	{"http://127.0.0.1:8080/", "https", ok},
	{"https://127.0.0.1/", "public", ok},
	{"https://[::1]/", "public", ok},
	{"http://[::1]:80/", "https", ok},
	{"https://[::ffff:127.0.0.1]/", "public", ok},
	{"https://[64:ff9b::7f00:1]/", "public", "public"},
	{"https://[fe80::1%25eth0]/", "public", "public"},
	{"https://169.254.169.254/latest/", "public", "public"},
	{"https://168.63.129.16/", "public", "public"},
	{"https://2130706433/", "usual form", "usual form"},
	{"https://0x7f.1/", "usual form", "usual form"},
	{"https://127.1/", "usual form", "usual form"},
	{"https://0177.0.0.1/", "usual form", "usual form"},
	{"https://①②⑦.⓪.⓪.①/", "ASCII", "ASCII"},
	{"https://bücher.example/", "ASCII", "ASCII"},
	{"https://a..b/", "ASCII", "ASCII"},
	{"https://a b/", "not a URL", "not a URL"},
	{"https://a%20b/", "not a URL", "not a URL"},
	{"https://" + strings.Repeat("a", 64) + ".example/", "ASCII", "ASCII"},
	{"", "absolute", "absolute"},
	{"app.example.com/repair", "absolute", "absolute"},
	{"/repair", "absolute", "absolute"},
	{"//app.example.com/repair", "absolute", "absolute"},
	{"https:app.example.com", "absolute", "absolute"},
	{"https:///repair", "absolute", "absolute"},
	{"https://:443/repair", "absolute", "absolute"},
	{"ftp://app.example.com/", "absolute", "absolute"},
	{"javascript:alert(1)", "absolute", "absolute"},
	{"https://user@app.example.com/", "user name", "user name"},
	{"https://user:secret@app.example.com/", "user name", "user name"},
	{"https://app.example.com@10.0.0.1/", "user name", "user name"},
	{"https://app.example.com/#top", "fragment", "fragment"},
	{"https://app.example.com/#", "fragment", "fragment"},
	{"https://app.example.com:0x1bb/", "not a URL", "not a URL"},
	{"https://app.example.com:65536/", "port", "port"},
	{"https://app.example.com:/", "port", "port"},
	{"https://app.example.com/\n", "not a URL", "not a URL"},
	{"https://app.example.com/" + strings.Repeat("a", 2024), ok, ok},
	{"https://app.example.com/" + strings.Repeat("a", 2025), "longer", "longer"},
}

func TestCheckURL(t *testing.T) {
	private := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("::1/128"),
	}
	for _, test := range urlTests {
		for problem, allow := range map[*string][]netip.Prefix{&test.without: nil, &test.with: private} {
			err := CheckURL(test.raw, allow)
			switch {
			case *problem == ok && err != nil, *problem != ok && (err == nil || !strings.Contains(err.Error(), *problem)):
				t.Errorf("%q with %v: %v, want %q", test.raw, allow, err, *problem)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("%q repeats the URL", err)
			}
		}
	}
}

// What passes is what the client would try: http or https with a plain host.
func FuzzCheckURL(f *testing.F) {
	f.Add("https://app.example.com/repair")
	f.Add("http://[::ffff:7f00:1]:80/?a#b")
	f.Add("https://a@①:1")
	f.Fuzz(func(t *testing.T, raw string) {
		if CheckURL(raw, nil) != nil {
			return
		}
		if lower := strings.ToLower(
			raw,
		); !strings.HasPrefix(lower, "https://") || strings.ContainsAny(strings.Split(raw[8:], "/")[0], "@#\\ ") ||
			len(raw) > maxURL {
			t.Errorf("%q passed", raw)
		}
	})
}
