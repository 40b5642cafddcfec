package integration

import (
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// watched makes a page remember its timers and streams, before its own script runs.
const watched = `(() => {
	const timers = window.timers = new Map(), streams = window.streams = [];
	for (const kind of ["Timeout", "Interval"]) {
		const set = window["set" + kind], clear = window["clear" + kind];
		window["set" + kind] = (does, after) => {
			const id = set(() => { if (kind === "Timeout") timers.delete(id); does(); }, after);
			timers.set(id, kind + " " + after);
			return id;
		};
		window["clear" + kind] = (id) => { timers.delete(id); clear(id); };
	}
	window.EventSource = class extends EventSource { constructor(url) { super(url); streams.push(this); } };
})()`

// Who was removed does not go on reading what changes, and is told so. Nothing is left that could ask again: of timers,
// only the one that keeps "5 minutes ago" true.
func TestALivePageSaysThatOneIsSignedOut(t *testing.T) {
	s := newConsoleSite(t)
	b := openBrowser(t, s.url)
	b.expected = []string{"401"}
	command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watched})
	for path, timers := range map[string]string{"/incidents": "Interval 5000", "/": "Interval 15000,Interval 5000"} {
		s.login(b, "ada@example.com", "operator")
		b.open(path)
		b.sees("Live")
		b.waits(`[...timers.values()].sort().join() === "` + timers + `" && streams.some((s) => s.readyState === EventSource.OPEN)`)
		if err := s.store.Access.Operators.Remove(t.Context(), "ada@example.com", "test"); err != nil {
			t.Fatal(err)
		}
		s.fails("acct_ines", "card network timeout") // the page looks again, and cannot
		b.sees("You are signed out", "Signed out")
		b.waits(`document.documentElement.classList.contains("over")`)
		if left := eval[string](
			b,
			`[...timers.values(), ...streams.filter((s) => s.readyState !== EventSource.CLOSED).map((s) => s.url)].join()`,
		); left != "Interval 5000" {
			t.Errorf("%s: left to ask again: %s", path, left)
		}
		b.snap("signed-out")
		b.do(chromedp.Click(chromedp.CSS("[data-over] a")))
		b.sees("Log in")
	}
}
