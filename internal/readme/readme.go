// Package readme reads the repository's texts for people, so that tests can check
// them: the blocks of code in Markdown, the regions of source files that they must
// equal, and phrases that stop a reader.
//
// A block is marked by an HTML comment on the line before its fence:
//
//	<!-- code: engine/example_test.go#worker -->   equals that region
//	<!-- code: docs/example/main.go -->            equals that file
//	<!-- run -->                                   SQL that a test executes
package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Block is one fenced block of code.
type Block struct {
	// Language is what follows the fence: go, sql, sh …
	Language string
	// Mark is the comment before the block, without its brackets.
	Mark string
	// Text is the code, each line with its newline.
	Text string
	// Line is the first line of the code, from 1.
	Line int
}

// Blocks returns the fenced blocks of a Markdown text in order.
func Blocks(markdown string) []Block {
	var blocks []Block
	var open *Block
	previous := ""
	for i, line := range strings.Split(markdown, "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			mark, _ := strings.CutPrefix(strings.TrimSpace(previous), "<!--")
			mark, marked := strings.CutSuffix(mark, "-->")
			open = &Block{Language: language, Line: i + 2}
			if marked {
				open.Mark = strings.TrimSpace(mark)
			}
		case fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += line + "\n"
		}
		previous = line
	}
	return blocks
}

// Source returns what a mark "code: path#region" names, read below root: the
// lines between "// region NAME" and "// endregion", shifted to the left
// margin and without blank lines around them, or the whole file.
func Source(root, mark string) (string, error) {
	place, ok := strings.CutPrefix(mark, "code:")
	if !ok {
		return "", fmt.Errorf("want <!-- code: path#region --> before the block, have %q", mark)
	}
	path, name, named := strings.Cut(strings.TrimSpace(place), "#")
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil || !named {
		return string(content), err
	}
	var lines []string
	inside, ended := false, false
	for line := range strings.Lines(string(content)) {
		switch text := strings.TrimSpace(line); {
		case text == "// region "+name:
			inside = true
		case text == "// endregion" && inside:
			inside, ended = false, true
		case inside:
			lines = append(lines, line)
		}
	}
	if !ended {
		return "", fmt.Errorf("%s has no region %s", path, name)
	}
	return strings.Trim(strings.Join(outdent(lines), ""), "\n") + "\n", nil
}

// outdent takes away the tabs that all lines begin with.
func outdent(lines []string) []string {
	common := -1
	for _, line := range lines {
		if depth := len(line) - len(strings.TrimLeft(line, "\t")); line != "\n" && (common < 0 || depth < common) {
			common = depth
		}
	}
	shifted := make([]string, len(lines))
	for i, line := range lines {
		shifted[i] = line[min(max(common, 0), len(line)-1):]
	}
	return shifted
}

// Diff shows where two texts differ: the lines between what they have in
// common at their beginning and at their end.
func Diff(want, have string) string {
	w, h := strings.Split(want, "\n"), strings.Split(have, "\n")
	first := 0
	for first < len(w) && first < len(h) && w[first] == h[first] {
		first++
	}
	last := 0
	for last < len(w)-first && last < len(h)-first && w[len(w)-1-last] == h[len(h)-1-last] {
		last++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "from line %d on:\n", first+1)
	for _, line := range w[first : len(w)-last] {
		b.WriteString("- " + line + "\n")
	}
	for _, line := range h[first : len(h)-last] {
		b.WriteString("+ " + line + "\n")
	}
	return b.String()
}
