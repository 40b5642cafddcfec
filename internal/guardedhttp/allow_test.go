package guardedhttp

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseAllow(t *testing.T) {
	for _, test := range []struct{ list, want, problem string }{
		{"", "[]", ""},
		{"  ", "[]", ""},
		{"127.0.0.0/8", "[127.0.0.0/8]", ""},
		{" 10.0.0.0/8 ,fd00::/8, ::1/128", "[10.0.0.0/8 fd00::/8 ::1/128]", ""},
		{"127.0.0.1", "[127.0.0.1/32]", ""},
		{"::1", "[::1/128]", ""},
		{"0.0.0.0/0", "[0.0.0.0/0]", ""},
		{"10.0.0.0/8,", "", "entry 2 is neither"},
		{",", "", "entry 1 is neither"},
		{"localhost", "", "entry 1 is neither"},
		{"10.0.0.0/33", "", "entry 1 is neither"},
		{"10.0.0.0/-1", "", "entry 1 is neither"},
		{"10.0.0.0/08", "", "entry 1 is neither"},
		{"10.0/8", "", "entry 1 is neither"},
		{"010.0.0.0/8", "", "entry 1 is neither"},
		{"10.0.0.0/8;::1/128", "", "entry 1 is neither"},
		{"fe80::1%eth0", "", "entry 1 is neither"},
		{"fe80::%eth0/10", "", "entry 1 is neither"},
		{"::1/128,10.0.0.5/8", "", "entry 2 has bits set"},
		{"::ffff:10.0.0.0/104", "", "entry 1 is IPv4 written in IPv6"},
		{"::ffff:10.0.0.1", "", "entry 1 is IPv4 written in IPv6"},
	} {
		got, err := ParseAllow(test.list)
		if test.problem == "" {
			if err != nil || fmt.Sprint(got) != test.want {
				t.Errorf("%q: %v, %v", test.list, got, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), test.problem) || got != nil {
			t.Errorf("%q: %v, %v", test.list, got, err)
		}
	}
}

func FuzzParseAllow(f *testing.F) {
	f.Add("127.0.0.0/8, ::1/128")
	f.Add("::ffff:1.2.3.4/97,")
	f.Fuzz(func(t *testing.T, list string) {
		networks, err := ParseAllow(list)
		if err != nil && networks != nil {
			t.Errorf("%q: %v and %v", list, networks, err)
		}
		for _, n := range networks {
			if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() {
				t.Errorf("%q gave %v", list, n)
			}
		}
	})
}
