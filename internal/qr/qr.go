// Package qr draws QR codes of links: as SVG for pages, and in half blocks for terminals.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the margin that scanners need, in modules.
const quiet = 4

// code is a link as dark and light modules. Error correction is low: screens
// and fresh prints lose nothing, and fewer modules scan better.
func code(link string) (*qr.Code, error) { return qr.Encode(link, qr.L) }

// SVG draws a link as an SVG with a viewBox, black on white in every theme, because scanners expect
// that. title is its label for screen readers, as text. The link must be shorter than 2,900 bytes.
func SVG(link, title string) (string, error) {
	c, err := code(link)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	side := c.Size + 2*quiet
	var out strings.Builder
	_, _ = fmt.Fprintf(
		&out,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges">`,
		side,
		side,
		escape.Replace(title),
	)
	_, _ = fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, side, side)
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			run := 0
			for c.Black(x+run, y) {
				run++
			}
			if run > 0 {
				_, _ = fmt.Fprintf(&out, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	out.WriteString(`"/></svg>`)
	return out.String(), nil
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// Text draws a link for a terminal, two rows of modules per line. It draws the light modules, so
// that the code scans on a dark terminal.
func Text(link string) (string, error) {
	c, err := code(link)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	var out strings.Builder
	for y := -quiet / 2; y < c.Size+quiet/2; y += 2 {
		for x := -quiet / 2; x < c.Size+quiet/2; x++ {
			switch upper, lower := !c.Black(x, y), !c.Black(x, y+1); {
			case upper && lower:
				out.WriteRune('█')
			case upper:
				out.WriteRune('▀')
			case lower:
				out.WriteRune('▄')
			default:
				out.WriteByte(' ')
			}
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}
