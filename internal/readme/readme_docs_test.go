package readme_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/readme"
)

const root = "../.."

// documents returns every Markdown file for people by its path below root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.ToSlash(name)] = string(content)
		}
	}
	return found
}

func TestGoInDocumentsIsTestedCode(t *testing.T) {
	for path, text := range documents(t) {
		for _, block := range readme.Blocks(text) {
			if block.Language != "go" {
				continue
			}
			want, err := readme.Source(root, block.Mark)
			switch {
			case err != nil:
				t.Errorf("%s:%d: %v", path, block.Line, err)
			case want != block.Text:
				t.Errorf("%s:%d is not what %q holds (- code, + document) %s", path, block.Line, block.Mark,
					readme.Diff(want, block.Text))
			}
		}
	}
}

// Every SQL block marked "run" is executed, each document in a database of its
// own. A comment "-- => name=value …" after a statement says what its first row
// holds, or error=SQLSTATE.
func TestSQLInDocumentsRuns(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		blocks := slices.DeleteFunc(readme.Blocks(text),
			func(b readme.Block) bool { return b.Language != "sql" || b.Mark != "run" })
		if len(blocks) == 0 {
			continue
		}
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			conn, err := db.Pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			for _, block := range blocks {
				runSQL(t, conn.Conn().PgConn(), path, block)
			}
		})
	}
}

func runSQL(t *testing.T, conn *pgconn.PgConn, path string, block readme.Block) {
	t.Helper()
	var have map[string]string
	statement := ""
	for i, line := range strings.Split(block.Text, "\n") {
		if want, expects := strings.CutPrefix(line, "-- => "); expects {
			for _, pair := range strings.Fields(want) {
				name, value, _ := strings.Cut(pair, "=")
				if have[name] != value {
					t.Errorf("%s:%d: %s is %q, the document says %q", path, block.Line+i, name, have[name], value)
				}
			}
			delete(have, "error")
			continue
		}
		if have["error"] != "" {
			t.Fatalf("%s:%d: %s", path, block.Line+i-1, have["message"])
		}
		if statement += line + "\n"; strings.HasSuffix(line, ";") {
			have = firstRow(conn.Exec(t.Context(), statement))
			statement = ""
		}
	}
}

// firstRow reads what came of one statement.
func firstRow(results *pgconn.MultiResultReader) map[string]string {
	row := map[string]string{}
	read, err := results.ReadAll()
	var refused *pgconn.PgError
	if err != nil {
		row["error"], row["message"] = "unknown", err.Error()
	}
	if errors.As(err, &refused) {
		row["error"] = refused.Code
	}
	for _, result := range read {
		if len(result.Rows) == 0 {
			continue
		}
		for i, field := range result.FieldDescriptions {
			row[field.Name] = "null"
			if result.Rows[0][i] != nil {
				row[field.Name] = string(result.Rows[0][i])
			}
		}
	}
	return row
}

func TestTestsNamedInDocumentsExist(t *testing.T) {
	exist := map[string]bool{}
	defined := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, m := range defined.FindAllStringSubmatch(string(content), -1) {
			exist[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range documents(t) {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(text, -1) {
			if !exist[name] {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
}

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	all := documents(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for path, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, anchored := strings.Cut(m[1], "#")
			name := path
			if target != "" {
				name = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[1])
			} else if anchored && !slices.Contains(anchors(all[name]), anchor) {
				t.Errorf("%s: %s has no such heading", path, m[1])
			}
		}
	}
}

// anchors are the ids that GitHub gives to a document's headings.
func anchors(text string) []string {
	var ids []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		ids = append(ids, strings.ReplaceAll(plain, " ", "-"))
	}
	return ids
}

// Every command line of spadmin in a document must be one that spadmin
// understands: asking for help checks names and flags and does nothing.
func TestCommandsInDocumentsAreUnderstood(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/spadmin", root+"/cmd/spadmin").
		CombinedOutput(); err != nil {
		t.Fatalf("building spadmin: %v\n%s", err, out)
	}
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("(?:^|[`\n$( ])(spadmin [a-z][^`\n|>&;#)]*)")
	target := regexp.MustCompile("(?:^|[`\n])make ([a-z]+)")
	seen := map[string]bool{}
	for path, text := range documents(t) {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, line := range code(text) {
			for _, m := range command.FindAllStringSubmatch(line, -1) {
				if seen[m[1]] {
					continue
				}
				seen[m[1]] = true
				shell := exec.CommandContext(t.Context(), "sh", "-c", m[1]+" --help")
				shell.Env = append(os.Environ(), "PATH="+bin)
				if out, err := shell.CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", path, m[1], err, out)
				}
			}
			for _, m := range target.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s: make %s: no such target", path, m[1])
				}
			}
		}
	}
}

// code returns what a document shows as commands: shell blocks and inline code.
func code(text string) []string {
	var found []string
	for _, block := range readme.Blocks(text) {
		if block.Language == "sh" {
			found = append(found, block.Text)
		}
	}
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}
