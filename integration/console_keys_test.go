package integration

import (
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Everything from the list to the repair without a pointer, and the focus is always where the reader is.
func TestTheConsoleIsWorkedByKeys(t *testing.T) {
	s := newConsoleSite(t)
	for _, account := range []string{"acct_ines", "acct_bruno", "acct_chidi"} {
		s.fails(account, "card network timeout")
	}
	b := openBrowser(t, s.url)
	b.looks(1280, 900, "light")
	s.login(b, "ada@example.com", "operator")
	press := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			b.do(chromedp.KeyEvent(key))
		}
	}
	const (
		enter, escape, tab = "\r", "\u001b", "\t"
		at                 = `document.querySelector("[data-row].at a.main")`
	)
	// The first stop of the tabulator leads past the menu.
	b.open("/incidents")
	b.sees("Live")
	press(tab)
	b.waits(`document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().top >= 0`)
	press(enter)
	b.waits(`location.hash === "#main" && document.activeElement.id === "main"`)

	// j and k stop at the ends, and the row that is lit has the focus.
	press("k", "j", "j", "j", "j")
	b.waits(at + `.innerText === "acct_ines" && document.activeElement === ` + at)
	press("k")
	b.waits(at + `.innerText === "acct_bruno"`)

	// A list of keys is a dialog that gives the focus back.
	press("?")
	b.waits(`document.getElementById("keys").open && document.getElementById("keys").contains(document.activeElement)`)
	press("j")
	press(escape)
	b.waits(
		`!document.getElementById("keys").open && document.activeElement === ` + at + ` && ` + at + `.innerText === "acct_bruno"`,
	)

	// Typing is typing.
	// As a keyboard has it: one event, whose letter is typed unless the page takes it. chromedp's keys are two events.
	command(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: "/", Text: "/"})
	b.waits(`document.activeElement.id === "q"`)
	press("j", "r", "?")
	b.waits(`document.activeElement.value === "jr?" && !document.getElementById("keys").open`)
	press(escape)
	b.waits(`document.activeElement === document.body`)

	// Enter opens the row that is lit, although the focus is elsewhere.
	press(enter)
	b.sees("acct_bruno paid")

	// r asks before anything happens, and Esc takes it back.
	b.open("/incidents")
	b.sees("Live")
	press("j", "r")
	b.waits(
		`location.hash === "#reprocess" && document.getElementById("reprocess").open &&
			document.activeElement.innerText === "Request the repair"`,
	)
	b.sees("acct_chidi paid")
	b.accessible("an incident by keys")
	press(escape)
	b.waits(`!document.getElementById("reprocess").open && document.activeElement.innerText === "Reprocess"`)
	if n := s.repairs.Load(); n != 0 {
		t.Errorf("%d repairs without a confirmation", n)
	}
	press("r", enter)
	b.sees("Reprocess requested.", "Their credits have been added.")
	b.waits(`document.title.startsWith("Done: ")`)
}
