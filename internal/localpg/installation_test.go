package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pretend makes a folder of programs that say they are this version.
func pretend(t *testing.T, version string) string {
	t.Helper()
	folder := t.TempDir()
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, program := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(folder, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestNewestInstallationIsTaken(t *testing.T) {
	t.Parallel()
	newest := pretend(t, "18.1 (Debian 18.1-1)")
	clientOnly := t.TempDir()
	folders := []string{
		pretend(t, "9.6.24"), pretend(t, "17.10"), newest, pretend(t, "18.0"), pretend(t, "16beta1"),
		clientOnly, "/nowhere", pretend(t, "nonsense"),
	}
	found, err := findInstallation(t.Context(), folders)
	if err != nil || found.bin != newest || found.major != 18 || found.minor != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestNoInstallationIsAnErrorOfOneLine(t *testing.T) {
	t.Parallel()
	for name, folders := range map[string][]string{
		"no folder": nil, "an empty folder": {t.TempDir()},
		"too old": {pretend(t, "14.19")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := findInstallation(t.Context(), folders)
			if !errors.Is(err, errNothingFound) || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), "apt-get install postgresql") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTooOldAnInstallationIsNamed(t *testing.T) {
	t.Parallel()
	_, err := findInstallation(t.Context(), []string{pretend(t, "14.19")})
	if err == nil || !strings.Contains(err.Error(), "14.19") {
		t.Errorf("%v", err)
	}
}
