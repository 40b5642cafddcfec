package web

import "testing"

func TestEveryURLDerivesFromTheBase(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{
		"http://127.0.0.1:8787":         {"/incidents", "http://127.0.0.1:8787/incidents"},
		"https://ops.example.com/a/b/":  {"/a/b/incidents", "https://ops.example.com/a/b/incidents"},
		"https://ops.example.com/a%20b": {"/a%20b/incidents", "https://ops.example.com/a%20b/incidents"},
	} {
		t.Run(raw, func(t *testing.T) {
			base, err := ParseBase(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := [2]string{base.Path("/incidents"), base.URL("/incidents")}; got != want {
				t.Errorf("%s: %v, want %v", raw, got, want)
			}
		})
	}
}

func TestOtherBasesAreRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "/ops", "ops.example.com", "ftp://ops.example.com", "https://", "https://a?b=c", "https://a#b", "https://u:p@a",
	} {
		if base, err := ParseBase(raw); err == nil {
			t.Errorf("%q is a base: %v", raw, base)
		}
	}
}
