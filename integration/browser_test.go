package integration

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/accessibility.js
var accessibility string

// browser is a tab of Chromium that fails its test for everything that a page complains about.
type browser struct {
	*testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string
	// expected are complaints that a page may bring, such as the answer 409.
	expected []string
}

// seeWithin bounds the wait for one thing to be seen.
const seeWithin = 15 * time.Second

func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US")))
	t.Cleanup(cancel)
	b := &browser{T: t, ctx: ctx, url: url}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("starting chromium, which Debian's package of that name installs: %v", err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.complaints {
			if !slices.ContainsFunc(b.expected, func(e string) bool { return strings.Contains(c, e) }) {
				t.Errorf("the browser complains: %s", c)
			}
		}
	})
	return b
}

// hear keeps what the browser finds wrong: violations of the policy among it.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case log.EventEntryAdded:
		b.complain(e.Entry)
	case *log.EventEntryAdded:
		b.complain(e.Entry)
	case runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("%+v", e.ExceptionDetails))
	}
}

func (b *browser) complain(e *log.Entry) {
	if e.Level == "error" || e.Source == "security" {
		b.complaints = append(b.complaints, fmt.Sprintf("%s %s %s", e.Source, e.Text, e.URL))
	}
}

// do runs steps, each within a bound.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(b.ctx, seeWithin)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			b.snap("failure")
			b.Fatalf("in the browser: %v", err)
		}
	}
}

func (b *browser) open(path string) { b.Helper(); b.do(chromedp.Navigate(b.url + path)) }

func (b *browser) click(selector string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// eval evaluates an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seeWithin)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("evaluating %.200s: %v", expression, err)
	}
	return value
}

// sees waits until the page says all of the texts.
func (b *browser) sees(texts ...string) {
	b.Helper()
	var page string
	for end := time.Now().Add(seeWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, seeWithin)
		page, _ = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // a page that is just being left
		cancel()
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(page, s) }) {
			return
		}
	}
	b.snap("failure")
	b.Fatalf("the page does not say %q:\n%s", texts, page)
}

// waits until an expression holds.
func (b *browser) waits(expression string) {
	b.Helper()
	for end := time.Now().Add(seeWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, seeWithin)
		holds, _ := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		cancel()
		if holds {
			return
		}
	}
	b.snap("failure")
	b.Fatalf("it never holds that %s", expression)
}

// command sends one command of the browser's protocol.
func command[P, R any](b *browser, c cdp.Command[P, R], params P) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	}))
}

// script turns the pages' scripts off and on.
func (b *browser) script(on bool) {
	b.Helper()
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// looks sets the size of the window and the scheme of colours.
func (b *browser) looks(width, height int64, scheme string) {
	b.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
}

// snap keeps a picture of the page in .artifacts of the repository.
func (b *browser) snap(name string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, seeWithin)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	folder := filepath.Join("..", ".artifacts")
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "console-"+name+".png"), picture, 0o644)
	}
	if err != nil {
		b.Errorf("a picture of the page: %v", err)
	}
}

// accessible holds the page against our own rules and against axe-core.
func (b *browser) accessible(what string) {
	b.Helper()
	b.keepsRules(what)
	b.passesAxe(what)
}

// keepsRules holds the page against our own rules only, which takes a moment.
func (b *browser) keepsRules(what string) {
	b.Helper()
	for _, finding := range eval[[]string](b, accessibility) {
		b.Errorf("%s: %s", what, finding)
	}
}
