package arrows

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// logs are the calls that write a line into the app's log, with the place of the message among the arguments.
var logs = map[string]int{"InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "DebugContext": 1, "LogAttrs": 2, "Log": 3}

// A line in the app's log says whose it is: the message is "sendpromptly: …" and constant, and the details are attributes.
func TestLogTextsFollowOneConvention(t *testing.T) {
	t.Parallel()
	_, files := sources(t)
	form := regexp.MustCompile(`^"sendpromptly: [a-z][^.%]*"$`)
	for path, file := range files {
		room := filepath.ToSlash(filepath.Dir(path))
		if room != "engine" && room != "internal/opened" && !strings.HasPrefix(room, "adminserver") {
			continue
		}
		said := func(e ast.Expr) {
			if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING && !form.MatchString(text.Value) {
				t.Errorf("%s logs %s", path, text.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.SelectorExpr); ok {
					if at, known := logs[called.Sel.Name]; known && len(n.Args) > at {
						said(n.Args[at])
					}
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if strings.HasPrefix(name.Name, "says") && i < len(n.Values) {
						said(n.Values[i])
					}
				}
			}
			return true
		})
	}
}
