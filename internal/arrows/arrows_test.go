// Package arrows holds nothing but tests: which room of the repository may
// import which, what an app that imports the engine compiles, and the bounds
// that keep one concept in one file.
package arrows

import (
	_ "embed" // the table
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/sendpromptly/sendpromptly"
)

const (
	pgx  = "github.com/jackc/pgx/v5"
	ssrf = "code.dny.dev/ssrf"
)

//go:embed arrows.txt
var table string

// rooms are the lines of arrows.txt: what each folder's packages may import.
var rooms = func() map[string][]string {
	rooms := map[string][]string{}
	for line := range strings.Lines(table) {
		name, may, isRoom := strings.Cut(line, ":")
		if isRoom && !strings.HasPrefix(line, "#") {
			rooms[name] = strings.Fields(may)
		}
	}
	return rooms
}()

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
	Module     *struct{ Path string }
}

// list runs go list -json with arguments in a folder.
func list(t *testing.T, dir string, env []string, args ...string) map[string]goPackage {
	t.Helper()
	command := exec.CommandContext(
		t.Context(),
		"go",
		append([]string{"list", "-json=ImportPath,Imports,Standard,Module"}, args...)...)
	command.Dir = dir
	command.Env = append(command.Environ(), env...)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, complaint.String())
	}
	found := map[string]goPackage{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p
	}
}

// roomOf returns the room of one of our packages, "" where it has none.
func roomOf(path string) string {
	folder := strings.TrimPrefix(path, module+"/")
	best := ""
	for name := range rooms {
		if (folder == name || strings.HasPrefix(folder, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

// arrows are what each room's packages import: other rooms and modules.
func arrows(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string]map[string]bool{}
	all := list(t, root, nil, "-deps", "./...")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if all[path].Standard || !strings.HasPrefix(path, module+"/") {
			continue
		}
		from := roomOf(path)
		if from == "" {
			t.Errorf("%s is in no room: add a line to arrows.txt", path)
			continue
		}
		if found[from] == nil {
			found[from] = map[string]bool{}
		}
		for _, imported := range all[path].Imports {
			switch target := all[imported]; {
			case target.Standard:
			case !strings.HasPrefix(imported, module+"/"):
				found[from][target.Module.Path] = true
			case roomOf(imported) != from:
				found[from][roomOf(imported)] = true
			}
		}
	}
	sorted := map[string][]string{}
	for room, to := range found {
		sorted[room] = slices.Sorted(maps.Keys(to))
	}
	return sorted
}

func TestArrowsGoOneWay(t *testing.T) {
	t.Parallel()
	found := arrows(t)
	for room, may := range rooms {
		for _, to := range found[room] {
			if !slices.Contains(may, to) {
				t.Errorf("%s imports %s: an arrow turns", room, to)
			}
		}
		for _, to := range may {
			if !slices.Contains(found[room], to) {
				t.Errorf("%s may import %s, and does not: take it out of arrows.txt", room, to)
			}
		}
	}
}

// The arrows of the table can only forbid what nobody states; these are stated
// for ever.
func TestTheTableItselfKeepsTheEngineLow(t *testing.T) {
	above := []string{"proofs", "adminserver", "cmd/spadmin", "cmd/spadmin/demo", "internal/samples", "docs/example"}
	for name, may := range rooms {
		library := name == "engine" || strings.HasPrefix(name, "engine/") && name != "engine/enginetest"
		if !library && !strings.HasPrefix(name, "sql/") && name != "proofs" && !slices.Contains(rooms["engine"], name) {
			continue
		}
		for _, to := range may {
			if slices.Contains(above, to) || within(to, "internal/store") {
				t.Errorf("%s may import %s", name, to)
			}
		}
	}
	for _, to := range rooms["engine"] {
		if strings.HasPrefix(to, "engine/") {
			t.Errorf("engine may import %s", to)
		}
		if slices.Contains(rooms[to], "engine") {
			t.Errorf("%s may import engine, which imports it", to)
		}
	}
}

// within says whether a room is a folder or stands below it.
func within(room, folder string) bool { return room == folder || strings.HasPrefix(room, folder+"/") }

// The store serves the admin server and spadmin, and the tests of those who use the engine. Nobody imports a program. The
// integration module is a module of its own, which stands outside of this table.
func TestOnlyWhatStandsAboveTheStoreMayImportIt(t *testing.T) {
	for name, may := range rooms {
		if within(name, "internal/store") || within(name, "adminserver") || within(name, "cmd/spadmin") ||
			name == "internal/wire" || name == "engine/enginetest" {
			continue
		}
		for _, to := range may {
			if within(to, "internal/store") {
				t.Errorf("%s may import %s", name, to)
			}
		}
	}
	for name, may := range rooms {
		for _, to := range may {
			if within(to, "cmd") && !within(name, "cmd") {
				t.Errorf("%s may import %s", name, to)
			}
		}
	}
}

// engineModules are the modules that an app compiles because of the engine:
// pgx and what pgx needs, and ssrf.
var engineModules = []string{
	module, pgx, "github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/puddle/v2",
	"golang.org/x/sync", "golang.org/x/text", ssrf,
}

// requireOnlyEngineModules looks at everything that was compiled.
func requireOnlyEngineModules(t *testing.T, compiled map[string]goPackage, own string) {
	t.Helper()
	for path, p := range compiled {
		if p.Standard || p.Module != nil && (p.Module.Path == own || slices.Contains(engineModules, p.Module.Path)) {
			continue
		}
		t.Errorf("%s is compiled", path)
	}
	if _, there := compiled[module+"/engine"]; !there {
		t.Error("the engine is not compiled")
	}
}

func TestTheEngineCompilesOnlyPgxAndSsrf(t *testing.T) {
	t.Parallel()
	requireOnlyEngineModules(t, list(t, root, nil, "-deps", "./engine", "./engine/stripe", "./engine/shopify"), module)
}
