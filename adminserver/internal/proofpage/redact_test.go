package proofpage

import (
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestAReferenceKeepsItsEndsAndHidesItsLength(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"a": "•••••", "acct1": "•••••", "acct_1": "•••••_1", "acct_1234": "•••••34", "acct_12345": "ac•••••45",
		strings.Repeat("x", 255): "xx•••••xx", "ünïcödé-世界": "ün•••••世界",
	} {
		if got := mask(reference); got != want {
			t.Errorf("mask(%q) = %q, want %q", reference, got, want)
		}
	}
}

// Only a mail address and a page by https become links; the rest is text.
func TestAContactIsALinkOnlyWhereItIsHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]contact{
		"help@acme.example":            {"help@acme.example", "mailto:help@acme.example"},
		"https://acme.example/help":    {"acme.example/help", "https://acme.example/help"},
		"http://acme.example":          {"http://acme.example", ""},
		"javascript:alert(1)":          {"javascript:alert(1)", ""},
		"data:text/html,x":             {"data:text/html,x", ""},
		"//acme.example":               {"//acme.example", ""},
		"https://ada:pw@acme.example":  {"https://ada:pw@acme.example", ""},
		"Ada <ada@acme.example>":       {"Ada <ada@acme.example>", ""},
		"+44 20 7946 0000, until noon": {"+44 20 7946 0000, until noon", ""},
		"":                             {},
	} {
		if got := contactOf(text); got != want {
			t.Errorf("contactOf(%q) = %+v, want %+v", text, got, want)
		}
	}
}

func TestAProjectWithoutAPublicNameIsNotNamed(t *testing.T) {
	t.Parallel()
	if got := publicName(projects.Project{Name: "internal-billing-v2"}); got != "Your payment" {
		t.Errorf("the page is headed %q", got)
	}
}
