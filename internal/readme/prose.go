package readme

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Text is a piece of a file that a person reads: a paragraph, a comment, a string.
type Text struct {
	// Line is the line of its first character, from 1.
	Line int
	// Words is the text. Lines of a comment come without their marks.
	Words string
}

// Banned is a phrase that stops a reader, and what to say instead.
type Banned struct {
	Phrase *regexp.Regexp
	Say    string
}

// ParseBanned reads a list of banned phrases: lines of "expression => plain words", and comments after #.
func ParseBanned(list string) ([]Banned, error) {
	var all []Banned
	for i, line := range strings.Split(list, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		phrase, say, ok := strings.Cut(line, " => ")
		if !ok {
			return nil, fmt.Errorf("line %d: want \"expression => plain words\"", i+1)
		}
		expression, err := regexp.Compile(`(?i)` + strings.ReplaceAll(phrase, " ", `\s+`))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all = append(all, Banned{expression, say})
	}
	return all, nil
}

// Find returns a line for each banned phrase in a file's texts.
func Find(name string, content []byte, banned []Banned) ([]string, error) {
	texts, err := Texts(name, content)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, text := range texts {
		for _, b := range banned {
			for _, at := range b.Phrase.FindAllStringIndex(text.Words, -1) {
				line := text.Line + strings.Count(text.Words[:at[0]], "\n")
				phrase := strings.Join(strings.Fields(text.Words[at[0]:at[1]]), " ")
				found = append(found, fmt.Sprintf("%s:%d: %q: say %q", name, line, phrase, b.Say))
			}
		}
	}
	return found, nil
}

// Texts returns what a person reads of a file: of Go the comments and strings, of SQL, shell and make files the whole with its
// comments' marks removed, of everything else the whole. Generated Go has none.
func Texts(name string, content []byte) ([]Text, error) {
	switch path.Ext(name) {
	case ".go":
		return goTexts(name, content)
	case ".sql":
		return []Text{{1, unmark(string(content), "--")}}, nil
	case ".sh", "":
		return []Text{{1, unmark(string(content), "#")}}, nil
	}
	return []Text{{1, string(content)}}, nil
}

func goTexts(name string, content []byte) ([]Text, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return nil, err
	}
	var texts []Text
	for _, group := range file.Comments {
		words := string(content[files.Position(group.Pos()).Offset:files.Position(group.End()).Offset])
		texts = append(texts, Text{files.Position(group.Pos()).Line, unmark(words, "//")})
	}
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		words := literal.Value
		if !strings.HasPrefix(words, "`") {
			if plain, err := strconv.Unquote(words); err == nil {
				words = strings.ReplaceAll(plain, "\n", " ") // the literal is one line
			}
		}
		texts = append(texts, Text{files.Position(literal.Pos()).Line, words})
		return true
	})
	return texts, nil
}

// unmark removes the mark of a comment from the beginning of each line, so that a phrase is found across two of them.
func unmark(text, mark string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(line), mark)
	}
	return strings.Join(lines, "\n")
}
