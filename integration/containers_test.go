// Package integration holds the tests that need more than Go and Postgres: containers, other people's libraries,
// browsers. It is a module of its own so that its dependencies are nobody else's.
package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// postgresVersions are the major versions to run on, separated by spaces. containers/image.sh makes their images
// where none can be fetched.
func postgresVersions() []string {
	if versions := strings.Fields(os.Getenv("SENDPROMPTLY_POSTGRES_VERSIONS")); len(versions) > 0 {
		return versions
	}
	return []string{"17"}
}

func TestEngineSuiteOnPostgresInAContainer(t *testing.T) {
	// Each container is ended by its test, so the helper container that would do it is one more image for nothing.
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	requireDocker(t)
	for _, version := range postgresVersions() {
		t.Run(version, func(t *testing.T) {
			url := startPostgres(t, version)
			runEngineSuite(t, url, nil)
		})
	}
}

// requireDocker skips the test where no Docker engine answers. In CI one must.
func requireDocker(t *testing.T) {
	t.Helper()
	err := dockerHealth(t.Context())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("no Docker engine answers: %v", err)
	default:
		t.Skipf("no Docker engine answers: %v", err)
	}
}

// dockerHealth asks the engine. The library panics where it finds no trace of one.
func dockerHealth(ctx context.Context) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	provider, err := testcontainers.ProviderDocker.GetProvider()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return provider.Health(ctx)
}

// startPostgres starts a server for the length of the test and returns its connection string.
func startPostgres(t *testing.T, version string) string {
	t.Helper()
	server, err := postgres.Run(t.Context(), "postgres:"+version,
		postgres.BasicWaitStrategies(),
		// In memory: the suite makes and drops databases by the hundred.
		testcontainers.WithTmpfs(map[string]string{"/pgdata": "rw"}),
		testcontainers.WithEnv(map[string]string{"PGDATA": "/pgdata/data"}),
		testcontainers.WithCmdArgs("-c", "max_connections=300", "-c", "synchronous_commit=off"))
	testcontainers.CleanupContainer(t, server)
	if err != nil {
		t.Fatal(err)
	}
	url, err := server.ConnectionString(t.Context(), "sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// runEngineSuite runs the tests of the module above on the server, with what is added to the environment and to the
// arguments of go test.
func runEngineSuite(t *testing.T, url string, environment []string, arguments ...string) {
	t.Helper()
	arguments = append([]string{"test", "-count=1", "-v"}, append(arguments, "./engine/...")...)
	suite := exec.CommandContext(t.Context(), "go", arguments...)
	suite.Dir = ".."
	suite.Env = append(append(os.Environ(), "DATABASE_URL="+url), environment...)
	began := time.Now()
	out, err := suite.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, uneventful.ReplaceAll(out, nil))
	}
	told := eventful.FindAll(out, -1)
	if len(told) == 0 {
		t.Fatalf("no test ran:\n%s", out)
	}
	t.Logf("in %v:\n%s", time.Since(began).Round(time.Second), bytes.Join(told, []byte("\n")))
}

// Of a suite that passes, its packages and what it skipped are told; of one that fails, all but what passed.
var (
	eventful   = regexp.MustCompile(`(?m)^(ok\s|\s*--- SKIP).*$`)
	uneventful = regexp.MustCompile(`(?m)^\s*(=== (RUN|PAUSE|CONT|NAME)|--- PASS).*\n`)
)
