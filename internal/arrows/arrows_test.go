// Package arrows holds nothing but tests: which room of the repository may
// import which, what an app that imports the engine compiles, and the bounds
// that keep one concept in one file.
package arrows

import (
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

// room is a folder with what its packages may import besides the standard
// library and each other.
type room struct {
	// ours are rooms of this module.
	ours []string
	// others are modules.
	others []string
}

const (
	pgx      = "github.com/jackc/pgx/v5"
	ssrf     = "code.dny.dev/ssrf"
	jose     = "github.com/go-jose/go-jose/v4"
	kong     = "github.com/alecthomas/kong"
	lipgloss = "charm.land/lipgloss/v2"

	huma       = "github.com/danielgtaylor/huma/v2"
	scs        = "github.com/alexedwards/scs/v2"
	oidc       = "github.com/coreos/go-oidc/v3"
	oauth2     = "golang.org/x/oauth2"
	xtime      = "golang.org/x/time"
	gomail     = "github.com/wneessen/go-mail"
	prometheus = "github.com/prometheus/client_golang"
	otel       = "go.opentelemetry.io/otel"
	otelTrace  = "go.opentelemetry.io/otel/trace"
)

// using is a list of rooms with more of them.
func using(list []string, more ...string) []string { return slices.Concat(list, more) }

// storeRooms are the rooms on the store's base.
var storeRooms = []string{
	"internal/store/projects", "internal/store/access", "internal/store/incidents", "internal/store/evidence",
	"internal/store/archive",
	"internal/store/checks",
}

// storeUse is what every room of the store works with.
var storeUse = []string{"engine", "internal/dbsqlc", "internal/pg", "internal/store"}

// roomsUse is what every room of the admin server works with.
var roomsUse = []string{
	"adminserver/internal/identity", "adminserver/internal/engines", "adminserver/internal/web", "engine", "internal/actions",
	"internal/input",
	"internal/caught",
}

// rooms states the arrows. A package belongs to the longest name that it
// begins with; a new folder needs a line here.
var rooms = map[string]room{
	"sql/schema":    {},
	"sql/functions": {},

	// What an app compiles below the engine.
	"internal/callback":    {ours: []string{"internal/guardedhttp"}},
	"internal/caught":      {},
	"internal/currency":    {},
	"internal/dbsqlc":      {others: []string{pgx}},
	"internal/guardedhttp": {others: []string{ssrf}},
	"internal/id":          {},
	"internal/migrate":     {ours: []string{"sql/schema", "sql/functions"}, others: []string{pgx}},
	"internal/input":       {},
	"internal/pg":          {others: []string{pgx}},
	"internal/actions": {ours: []string{"internal/callback", "internal/dbsqlc", "internal/input", "internal/pg"},
		others: []string{pgx}},
	"internal/retention": {ours: []string{"internal/dbsqlc"}, others: []string{pgx}},
	"internal/secretbox": {},
	"internal/testclock": {},

	// What stands above it, or beside it.
	"internal/arrows":    {},
	"internal/chain":     {},
	"internal/lifecycle": {},
	"internal/localpg":   {others: []string{pgx}},
	"internal/qr":        {others: []string{"rsc.io/qr"}},
	"internal/readme":    {},
	"internal/restartpg": {ours: []string{"engine", "internal/localpg"}, others: []string{pgx}},
	"internal/samples":   {ours: []string{"engine/stripe", "engine/shopify", "internal/currency"}},

	// The base of the store, and its rooms upon it.
	"internal/store": {ours: []string{"engine", "internal/dbsqlc", "internal/id", "internal/migrate", "internal/pg",
		"internal/secretbox"},
		others: []string{pgx}},
	"internal/store/projects": {ours: using(storeUse, "internal/callback", "internal/guardedhttp", "internal/id",
		"internal/retention", "internal/secretbox"),
		others: []string{pgx}},
	"internal/store/access": {ours: using(storeUse, "internal/id", "internal/store/projects"), others: []string{pgx}},
	"internal/store/incidents": {ours: using(storeUse, "internal/callback", "internal/id", "internal/store/projects"),
		others: []string{pgx}},
	"internal/store/evidence": {ours: using(storeUse, "internal/chain", "internal/id", "internal/store/projects"),
		others: []string{pgx}},
	"internal/store/archive": {ours: using(storeUse, "internal/retention", "internal/store/projects"), others: []string{pgx}},
	"internal/store/checks": {ours: using(storeUse, "internal/lifecycle", "internal/migrate", "internal/secretbox",
		"internal/testclock"),
		others: []string{pgx}},
	"internal/store/rooms": {ours: using(storeRooms, "internal/store"), others: []string{pgx}},

	"engine": {ours: []string{"internal/callback", "internal/caught", "internal/dbsqlc", "internal/guardedhttp",
		"internal/id", "internal/input", "internal/migrate",
		"internal/actions", "internal/pg", "internal/retention", "internal/secretbox", "internal/testclock"},
		others: []string{pgx}},
	"engine/internal": {ours: []string{"internal/input"}},
	"engine/stripe":   {ours: []string{"engine", "engine/internal", "internal/currency"}},
	"engine/shopify":  {ours: []string{"engine", "engine/internal", "internal/currency"}},
	"engine/enginetest": {ours: []string{"engine", "internal/store", "internal/store/checks", "internal/localpg",
		"internal/testclock"},
		others: []string{pgx}},

	"adminserver": {ours: using(roomsUse, "adminserver/internal/alerts", "adminserver/internal/api",
		"adminserver/internal/console",
		"adminserver/internal/ingest", "adminserver/internal/login", "adminserver/internal/mail", "adminserver/internal/metrics",
		"adminserver/internal/proofpage", "internal/store/evidence", "internal/store/rooms", "proofs"),
		others: []string{pgx, prometheus, otel, otelTrace}},
	"adminserver/internal/identity": {ours: []string{"engine"}},
	"adminserver/internal/assets":   {},
	"adminserver/internal/engines":  {ours: []string{"engine", "internal/store"}, others: []string{pgx}},
	"adminserver/internal/mail":     {ours: []string{"engine"}, others: []string{gomail}},
	"adminserver/internal/web": {ours: []string{"adminserver/internal/identity", "adminserver/internal/engines", "engine",
		"internal/actions",
		"internal/caught", "internal/store/access", "internal/store/evidence", "internal/store/rooms", "proofs"},
		others: []string{pgx, otel, otelTrace}},
	"adminserver/internal/alerts": {ours: using(roomsUse, "adminserver/internal/mail", "internal/guardedhttp",
		"internal/store/projects"),
		others: []string{pgx}},
	"adminserver/internal/api": {ours: using(roomsUse, "adminserver/internal/assets", "internal/store/access",
		"internal/store/checks",
		"internal/store/evidence", "internal/store/incidents", "internal/store/projects", "proofs"), others: []string{pgx, huma}},
	"adminserver/internal/console": {ours: using(roomsUse, "adminserver/internal/alerts", "adminserver/internal/assets",
		"internal/currency",
		"internal/qr", "internal/store/access", "internal/store/checks", "internal/store/evidence", "internal/store/incidents",
		"internal/store/projects", "proofs"), others: []string{pgx}},
	"adminserver/internal/ingest": {ours: using(roomsUse, "internal/store/access", "internal/store/incidents"),
		others: []string{pgx, xtime}},
	"adminserver/internal/login": {ours: using(roomsUse, "adminserver/internal/mail", "adminserver/internal/assets",
		"internal/guardedhttp",
		"internal/store/access"), others: []string{pgx, scs, oidc, oauth2}},
	"adminserver/internal/metrics": {ours: using(roomsUse, "internal/store/checks"), others: []string{pgx, prometheus}},
	"adminserver/internal/proofpage": {ours: using(roomsUse, "internal/qr", "internal/store/evidence",
		"internal/store/projects", "proofs"),
		others: []string{pgx, xtime}},

	"proofs": {others: []string{jose}},

	"cmd/spadmin/demo": {ours: []string{"adminserver", "proofs", "engine", "internal/store/projects", "internal/store/rooms",
		"engine/stripe",
		"engine/shopify", "internal/localpg", "internal/samples"}, others: []string{pgx, lipgloss}},
	"cmd/spadmin": {ours: []string{"adminserver", "engine", "internal/store", "internal/store/access", "internal/store/archive",
		"internal/store/checks", "internal/store/evidence", "internal/store/projects", "internal/store/rooms", "internal/currency",
		"cmd/spadmin/demo", "internal/guardedhttp", "internal/localpg", "internal/migrate", "internal/qr", "proofs"},
		others: []string{pgx, kong, lipgloss}},
	"docs/example": {ours: []string{"engine", "engine/stripe"}, others: []string{pgx}},
}

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
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Standard,Module"}, args...)...)
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

func TestArrowsGoOneWay(t *testing.T) {
	t.Parallel()
	all := list(t, root, nil, "-deps", "./...")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if all[path].Standard || !strings.HasPrefix(path, module+"/") {
			continue
		}
		from := roomOf(path)
		if from == "" {
			t.Errorf("%s is in no room: add a line to the table in this test", path)
			continue
		}
		for _, imported := range all[path].Imports {
			target := all[imported]
			switch {
			case target.Standard:
			case strings.HasPrefix(imported, module+"/"):
				if to := roomOf(imported); to != from && !slices.Contains(rooms[from].ours, to) {
					t.Errorf("%s imports %s: an arrow from %s to %s turns", path, imported, from, to)
				}
			case target.Module == nil || !slices.Contains(rooms[from].others, target.Module.Path):
				t.Errorf("%s imports %s, which %s may not", path, imported, from)
			}
		}
	}
}

// The arrows of the table can only forbid what nobody states; these are stated
// for ever.
func TestTheTableItselfKeepsTheEngineLow(t *testing.T) {
	above := []string{"proofs", "adminserver", "cmd/spadmin", "cmd/spadmin/demo", "internal/samples", "docs/example"}
	for name, r := range rooms {
		library := name == "engine" || strings.HasPrefix(name, "engine/") && name != "engine/enginetest"
		if !library && !strings.HasPrefix(name, "sql/") && name != "proofs" && !slices.Contains(rooms["engine"].ours, name) {
			continue
		}
		for _, to := range r.ours {
			if slices.Contains(above, to) || within(to, "internal/store") {
				t.Errorf("%s may import %s", name, to)
			}
		}
	}
	for _, to := range rooms["engine"].ours {
		if strings.HasPrefix(to, "engine/") {
			t.Errorf("engine may import %s", to)
		}
		if slices.Contains(rooms[to].ours, "engine") {
			t.Errorf("%s may import engine, which imports it", to)
		}
	}
}

// within says whether a room is a folder or stands below it.
func within(room, folder string) bool { return room == folder || strings.HasPrefix(room, folder+"/") }

// The store serves the admin server and spadmin, and the tests of those who use the engine. Nobody imports a program. The
// integration module is a module of its own, which stands outside of this table.
func TestOnlyWhatStandsAboveTheStoreMayImportIt(t *testing.T) {
	for name, r := range rooms {
		if within(name, "internal/store") || within(name, "adminserver") || within(name, "cmd/spadmin") || name == "engine/enginetest" {
			continue
		}
		for _, to := range r.ours {
			if within(to, "internal/store") {
				t.Errorf("%s may import %s", name, to)
			}
		}
	}
	for name, r := range rooms {
		for _, to := range r.ours {
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
