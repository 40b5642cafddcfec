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
	xsync      = "golang.org/x/sync"
	xtime      = "golang.org/x/time"
	gomail     = "github.com/wneessen/go-mail"
	prometheus = "github.com/prometheus/client_golang"
	otel       = "go.opentelemetry.io/otel"
	otelTrace  = "go.opentelemetry.io/otel/trace"
)

// roomsUse is what every room of the admin server works with.
var roomsUse = []string{"adminserver/internal/access", "adminserver/internal/engines", "adminserver/internal/web", "engine", "internal/store", "internal/wire", "internal/caught"}

// rooms states the arrows. A package belongs to the longest name that it
// begins with; a new folder needs a line here.
var rooms = map[string]room{
	"sql/schema": {},

	// What an app compiles below the engine.
	"internal/callback":    {ours: []string{"internal/guardedhttp"}},
	"internal/caught":      {},
	"internal/currency":    {},
	"internal/dbsqlc":      {others: []string{pgx}},
	"internal/guardedhttp": {others: []string{ssrf}},
	"internal/id":          {},
	"internal/migrate":     {ours: []string{"sql/schema"}, others: []string{pgx}},
	"internal/named":       {},
	"internal/refusals":    {},
	"internal/retention":   {ours: []string{"internal/dbsqlc"}, others: []string{pgx}},
	"internal/secretbox":   {},
	"internal/steps":       {},
	"internal/testclock":   {},

	// What stands above it, or beside it.
	"internal/arrows":    {},
	"internal/chain":     {},
	"internal/lifecycle": {},
	"internal/localpg":   {others: []string{pgx}},
	"internal/qr":        {others: []string{"rsc.io/qr"}},
	"internal/readme":    {},
	"internal/restartpg": {ours: []string{"engine", "internal/localpg"}, others: []string{pgx}},
	"internal/samples":   {ours: []string{"engine/stripe", "engine/shopify", "internal/currency"}},
	"internal/wire":      {ours: []string{"engine", "internal/store"}},
	"internal/store": {ours: []string{"engine", "internal/callback", "internal/chain", "internal/dbsqlc", "internal/guardedhttp", "internal/id",
		"internal/lifecycle", "internal/migrate", "internal/refusals", "internal/retention", "internal/secretbox", "internal/testclock"}, others: []string{pgx}},

	"engine": {ours: []string{"internal/callback", "internal/caught", "internal/dbsqlc", "internal/guardedhttp", "internal/id", "internal/migrate",
		"internal/named", "internal/refusals", "internal/retention", "internal/secretbox", "internal/steps", "internal/testclock"},
		others: []string{pgx}},
	"engine/internal":   {},
	"engine/stripe":     {ours: []string{"engine", "engine/internal", "internal/currency"}},
	"engine/shopify":    {ours: []string{"engine", "engine/internal", "internal/currency"}},
	"engine/enginetest": {ours: []string{"engine", "internal/store", "internal/localpg", "internal/steps", "internal/testclock"}, others: []string{pgx}},

	"adminserver": {ours: []string{"adminserver/internal/access", "adminserver/internal/engines", "adminserver/internal/mail", "adminserver/internal/web",
		"adminserver/internal/alerts", "adminserver/internal/api", "adminserver/internal/console", "adminserver/internal/ingest",
		"adminserver/internal/login", "adminserver/internal/metrics", "adminserver/internal/proofpage", "engine", "internal/store", "internal/caught", "internal/guardedhttp", "internal/named", "proofs"},
		others: []string{pgx, prometheus, otel, otelTrace}},
	"adminserver/internal/access":    {ours: []string{"engine", "internal/store"}, others: []string{pgx}},
	"adminserver/internal/assets":    {},
	"adminserver/internal/engines":   {ours: []string{"engine", "internal/store", "internal/caught"}, others: []string{pgx, xsync}},
	"adminserver/internal/mail":      {ours: []string{"engine"}, others: []string{gomail}},
	"adminserver/internal/web":       {ours: []string{"adminserver/internal/access", "adminserver/internal/engines", "engine", "internal/store", "internal/wire", "internal/caught", "proofs"}, others: []string{pgx, otel, otelTrace}},
	"adminserver/internal/alerts":    {ours: append([]string{"adminserver/internal/mail", "internal/guardedhttp"}, roomsUse...), others: []string{pgx}},
	"adminserver/internal/api":       {ours: append([]string{"proofs", "adminserver/internal/assets"}, roomsUse...), others: []string{pgx, huma}},
	"adminserver/internal/console":   {ours: append([]string{"proofs", "adminserver/internal/alerts", "adminserver/internal/assets", "internal/currency", "internal/qr"}, roomsUse...), others: []string{pgx}},
	"adminserver/internal/ingest":    {ours: roomsUse, others: []string{pgx, xtime}},
	"adminserver/internal/login":     {ours: append([]string{"adminserver/internal/mail", "adminserver/internal/assets", "internal/guardedhttp"}, roomsUse...), others: []string{pgx, scs, oidc, oauth2}},
	"adminserver/internal/metrics":   {ours: roomsUse, others: []string{pgx, prometheus}},
	"adminserver/internal/proofpage": {ours: append([]string{"proofs", "internal/qr"}, roomsUse...), others: []string{pgx, xtime}},

	"proofs": {others: []string{jose}},

	"cmd/spadmin/demo": {ours: []string{"adminserver", "proofs", "engine", "internal/store", "engine/stripe", "engine/shopify", "internal/localpg", "internal/samples"},
		others: []string{pgx, lipgloss}},
	"cmd/spadmin":  {ours: []string{"adminserver", "engine", "internal/store", "internal/currency", "cmd/spadmin/demo", "internal/guardedhttp", "internal/localpg", "internal/qr", "internal/steps", "internal/wire", "proofs"}, others: []string{pgx, kong, lipgloss}},
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
	above := []string{"proofs", "adminserver", "internal/store", "cmd/spadmin", "cmd/spadmin/demo", "internal/samples", "docs/example"}
	for name, r := range rooms {
		library := name == "engine" || strings.HasPrefix(name, "engine/") && name != "engine/enginetest"
		if !library && name != "sql/schema" && name != "proofs" && !slices.Contains(rooms["engine"].ours, name) {
			continue
		}
		for _, to := range r.ours {
			if slices.Contains(above, to) {
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
