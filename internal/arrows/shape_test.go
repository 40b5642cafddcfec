package arrows

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bounds. What is over them is usually two concepts.
const (
	maxNames         = 40
	maxFileLines     = 400
	maxFunctionLines = 60
	// maxRoomLines bounds the store's base and each of its rooms.
	maxRoomLines = 1200
)

// sources parses the hand-written Go outside of tests, by path below root.
func sources(t *testing.T) (*token.FileSet, map[string]*ast.File) {
	t.Helper()
	fset, files := token.NewFileSet(), map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."), entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err == nil && !ast.IsGenerated(file) {
			name, _ := filepath.Rel(root, path)
			files[filepath.ToSlash(name)] = file
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fset, files
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	t.Parallel()
	fset, files := sources(t)
	for path, file := range files {
		if lines := fset.Position(file.FileEnd).Line; lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", path, lines, maxFileLines)
		}
		for _, declared := range file.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

func TestTheStoresRoomsStaySmall(t *testing.T) {
	t.Parallel()
	fset, files := sources(t)
	lines := map[string]int{}
	for path, file := range files {
		if folder := filepath.ToSlash(filepath.Dir(path)); within(folder, "internal/store") {
			lines[folder] += fset.Position(file.FileEnd).Line - 1
		}
	}
	for room := range rooms {
		if !within(room, "internal/store") {
			continue
		}
		t.Logf("%s has %d lines", room, lines[room])
		if lines[room] == 0 || lines[room] > maxRoomLines {
			t.Errorf("%s has %d lines, want 1 to %d", room, lines[room], maxRoomLines)
		}
	}
}

// What an app reads first: functions, types and error variables. The constants of a type are read with it.
func TestTheEngineHasFewNames(t *testing.T) {
	t.Parallel()
	fset, files := sources(t)
	var own []*ast.File
	for path, file := range files {
		if filepath.ToSlash(filepath.Dir(path)) == "engine" {
			own = append(own, file)
		}
	}
	p, err := doc.NewFromFiles(fset, own, module+"/engine")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	values := func(list []*doc.Value) {
		for _, v := range list {
			names = append(names, v.Names...)
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			names = append(names, f.Name)
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, kind := range p.Types {
		names = append(names, kind.Name)
		values(kind.Vars)
		functions(kind.Funcs)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !ast.IsExported(n) })
	slices.Sort(names)
	t.Logf("%d exported names: %s", len(names), strings.Join(names, " "))
	if len(names) > maxNames {
		t.Errorf("package engine exports %d names, more than %d", len(names), maxNames)
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	_, files := sources(t)
	for path, file := range files {
		for _, declared := range file.Decls {
			switch d := declared.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
					t.Errorf("%s: %s is not documented", path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, name := range undocumented(d) {
					t.Errorf("%s: %s is not documented", path, name)
				}
			}
		}
	}
}

// plain are methods that a doc could only say twice: what they do is their name's contract.
var plain = []string{"Error", "Unwrap"}

// exportedReceiver is true for functions, and for methods of exported types.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	if slices.Contains(plain, f.Name.Name) {
		return false
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumented lists the exported names of a declaration that neither the
// group nor they themselves document.
func undocumented(d *ast.GenDecl) (names []string) {
	if d.Doc.Text() != "" {
		return nil
	}
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc.Text() == "" {
				names = append(names, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc.Text() == "" && s.Comment.Text() == "" {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
