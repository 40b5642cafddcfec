package arrows

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// offline keeps go to the module cache: what the tests of this module were
// built from is all that a consumer needs.
var offline = []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off"}

// consumer makes a module of its own whose program is docs/example.
func consumer(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(root, "docs/example/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"go.mod": "module example.com/shop\n\ngo 1.26\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + here +
			"\n",
		"go.sum": string(sums), "main.go": string(program),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnAppInItsOwnModuleCompilesOnlyPgxAndSsrf(t *testing.T) {
	t.Parallel()
	dir := consumer(t)
	requireOnlyEngineModules(t, list(t, dir, offline, "-deps", "."), "example.com/shop")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "shop"), ".")
	build.Dir, build.Env = dir, append(build.Environ(), offline...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}
