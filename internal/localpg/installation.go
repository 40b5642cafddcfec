package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// installation is a folder with the programs of one version of Postgres.
type installation struct {
	bin     string // the folder
	version string // what `postgres --version` prints, names the builder too
	major   int
	minor   int
}

// installedUnder are the places where packages put the programs without putting them on the PATH.
var installedUnder = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // Red Hat and its kin, from postgresql.org
	"/usr/libexec/postgresql*",  // Alpine
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

var versionNumber = regexp.MustCompile(`\) (\d+)(?:\.(\d+))?`)

// installationFolders lists every folder that may hold an installation.
func installationFolders(ctx context.Context) []string {
	var folders []string
	for _, pattern := range installedUnder {
		found, _ := filepath.Glob(pattern) // fails for a bad pattern only
		folders = append(folders, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link on the PATH stands alone: initdb looks for its files beside the real program.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	return folders
}

// findInstallation returns the newest complete installation in folders, or errNothingFound. One that is too old is
// named in the error, because "nothing found" would contradict what its owner sees.
func findInstallation(ctx context.Context, folders []string) (installation, error) {
	var best installation
	slices.Sort(folders)
	if runtime.GOOS == "windows" {
		return best, errNothingFound // no signals and no sockets to guard a server with: Docker does it
	}
	for _, folder := range slices.Compact(folders) {
		found, err := inspect(ctx, folder)
		if err != nil {
			continue // client programs only, or another architecture
		}
		if found.major > best.major || found.major == best.major && found.minor > best.minor {
			best = found
		}
	}
	switch {
	case best.major == 0:
		return best, errNothingFound
	case best.major < OldestMajor:
		return best, fmt.Errorf("%w (%s is too old)", errNothingFound, best.version)
	}
	return best, nil
}

// inspect asks the programs in folder for their version.
func inspect(ctx context.Context, folder string) (installation, error) {
	if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
		return installation{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output()
	if err != nil {
		return installation{}, err
	}
	found := installation{bin: folder, version: strings.TrimSpace(string(out))}
	m := versionNumber.FindStringSubmatch(found.version)
	if m == nil {
		return installation{}, fmt.Errorf("unknown version %q", found.version)
	}
	found.major, _ = strconv.Atoi(m[1])
	found.minor, _ = strconv.Atoi(m[2]) // a beta has none
	return found, nil
}

func (i installation) program(name string) string { return filepath.Join(i.bin, name) }
