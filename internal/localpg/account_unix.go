//go:build unix

package localpg

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	folderPrefix = "sendpromptly-pg-"
	// socketPathLimit is what the shortest sockaddr_un of a Unix holds, without its final zero.
	socketPathLimit = 103
	// staleAfter is how old an abandoned folder must be: a younger one may be of a start in progress.
	staleAfter = 24 * time.Hour
)

// account is the user that runs a server: the zero value is the current one.
type account struct {
	other    bool // not the current user
	uid, gid uint32
}

// serverAccount returns the account to run servers with. Postgres refuses to run as root, so root hands it to the
// user postgres, which Debian's package makes, or else to nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{other: true, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return account{}, errors.New("localpg: Postgres refuses to run as root, and there is no user postgres or nobody")
}

// run makes cmd run as the account, in a process group of its own so that Ctrl-C reaches only us: we decide when
// the server stops.
func (a account) run(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
}

// own gives path and all below it to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
}

// killGroup kills the command and what it started.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// baseFolder returns a temporary folder in which owner can reach a folder of its own and that leaves room for the
// path of a socket. The temporary folders of macOS are long, and those of root are often closed to others. Data that
// need not last goes to memory where there is plenty: every new database is three hundred files.
func baseFolder(owner account, cfg Config) (string, error) {
	bases := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if memory := memoryFolder(); memory != "" && !cfg.Durable && os.Getenv("TMPDIR") == "" {
		bases = append([]string{memory}, bases...)
	}
	longest := len("/" + folderPrefix + "4294967295/.s.PGSQL.65535")
	for _, base := range bases {
		if len(base)+longest <= socketPathLimit && (!owner.other || searchable(base)) {
			return base, nil
		}
	}
	return "", errors.New("localpg: no temporary folder that the server's user can reach: set TMPDIR")
}

// searchable reports whether every user may pass through path.
func searchable(path string) bool {
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(path)
		if parent == path {
			return true
		}
		path = parent
	}
}

// sweepStale removes folders of servers that ended without their guard, as after a power cut. What it may not
// remove it leaves.
func sweepStale(base string) {
	folders, _ := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	for _, folder := range folders {
		info, err := os.Lstat(folder)
		if err == nil && info.IsDir() && time.Since(info.ModTime()) > staleAfter && !alive(folder) {
			_ = os.RemoveAll(folder)
		}
	}
}

// alive reports whether the server of folder runs.
func alive(folder string) bool {
	text, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	return err == nil && pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
