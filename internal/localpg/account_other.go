//go:build !unix

package localpg

import (
	"errors"
	"os"
	"os/exec"
)

// Elsewhere servers run in containers only: see findInstallation. What follows lets the rest compile.

const folderPrefix = "sendpromptly-pg-"

type account struct{ other bool }

func serverAccount() (account, error) { return account{}, errors.ErrUnsupported }

func (account) run(*exec.Cmd) {}

func (account) own(string) error { return nil }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func baseFolder(account, Config) (string, error) { return os.TempDir(), nil }

func sweepStale(string) {}

func searchable(string) bool { return true }
