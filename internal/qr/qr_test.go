package qr_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/qr"
)

// A link as long as a proof's.
var link = "https://ops.example.com/p/" + strings.Repeat("a", 560)

func TestThePictureIsWellFormedAndHoldsNoMarkupOfOthers(t *testing.T) {
	t.Parallel()
	svg, err := qr.SVG(link, `"><script>alert(1)</script>`)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local != "svg" && start.Name.Local != "rect" &&
			start.Name.Local != "path" {
			t.Errorf("element %s", start.Name.Local)
		}
	}
	if len(svg) > 64<<10 {
		t.Errorf("%d bytes", len(svg))
	}
}

// Both drawings show the same modules, with a light margin around them.
func TestBothDrawingsAreSquareWithAMargin(t *testing.T) {
	t.Parallel()
	text, err := qr.Text(link)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	width := len([]rune(lines[0]))
	if lines[0] != strings.Repeat("█", width) || (width+1)/2 != len(lines) {
		t.Errorf("%d lines of %d, the first %q", len(lines), width, lines[0])
	}
	for _, line := range lines {
		if len([]rune(line)) != width || !strings.HasPrefix(line, "██") || !strings.HasSuffix(line, "██") {
			t.Errorf("line %q", line)
		}
	}
}

func TestALinkThatFitsNoCodeIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := qr.SVG("https://a/"+strings.Repeat("é", 3000), ""); err == nil {
		t.Error("no error")
	}
	if _, err := qr.Text("https://a/" + strings.Repeat("é", 3000)); err == nil {
		t.Error("no error")
	}
}
