package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
)

// axeWithin bounds one look at one page.
const axeWithin = time.Minute

// axePackage is what the package registry is asked for.
const axePackage = "axe-core@4.11.0"

// axe is the source of axe-core, "" where npm or its registry is not there: then our own rules, which every page is
// held against anyway, stand alone.
var axe = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	folder, err := os.MkdirTemp("", "axe")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	install := exec.CommandContext(
		ctx,
		"npm",
		"install",
		"--ignore-scripts",
		"--no-audit",
		"--no-fund",
		"--no-save",
		"--fetch-retries=0",
		"--prefix",
		folder,
		axePackage,
	)
	install.WaitDelay = time.Second
	if err := install.Run(); err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
})

// axeFindings are what axe-core calls serious or critical on the page, each with the elements that it means.
const axeFindings = `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations
	.filter((v) => v.impact === "serious" || v.impact === "critical")
	.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")))`

// passesAxe holds the page against axe-core, and says why not where it is not to be had.
func (b *browser) passesAxe(what string) {
	b.Helper()
	source, err := axe()
	if err != nil {
		b.Logf("%s: %s is not to be had, our own rules stand alone: %v", what, axePackage, err)
		return
	}
	eval[bool](b, source+"; true")
	ctx, cancel := context.WithTimeout(b.ctx, axeWithin)
	defer cancel()
	findings, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](axeFindings, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Errorf("%s: axe-core: %v", what, err)
	}
	for _, finding := range findings {
		b.Errorf("%s: axe-core: %s", what, finding)
	}
}
