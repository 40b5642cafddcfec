package localpg

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cluster is the folder of one throw-away server: its data and its socket.
type cluster struct {
	dir      string
	owner    account
	password string
	copied   bool // from a kept one
	durable  bool // its files are on the disk before it is used
	port     int  // what waitReady insists on, 0 for any
}

func (c cluster) data() string   { return filepath.Join(c.dir, "data") }
func (c cluster) remove() error  { return os.RemoveAll(c.dir) }
func (c cluster) socket() string { return c.dir } // only its owner may enter, and the path stays short

// newCluster makes a data folder for a server that owner will run. initdb takes a second, copying what it made a
// tenth of that: so the first one of each version is kept in the user's cache folder.
func newCluster(ctx context.Context, i installation, owner account, cfg Config) (cluster, error) {
	c := cluster{owner: owner}
	base, err := baseFolder(owner, cfg)
	if err != nil {
		return c, err
	}
	sweepStale(base)
	if c.dir, err = os.MkdirTemp(base, folderPrefix); err != nil {
		return c, err
	}
	if err := c.fill(ctx, i); err != nil {
		_ = c.remove()
		return c, err
	}
	return c, nil
}

// fill makes the data folder and sets the password.
func (c *cluster) fill(ctx context.Context, i installation) error {
	if err := c.owner.own(c.dir); err != nil {
		return err
	}
	cached := cacheFolder(i)
	if password, err := os.ReadFile(filepath.Join(cached, "password")); err == nil {
		c.password, c.copied = string(password), true
		return c.copyData(filepath.Join(cached, "data"))
	}
	c.password = rand.Text()
	if err := c.initialise(ctx, i); err != nil {
		return err
	}
	c.keep(cached)
	return nil
}

// initialise runs initdb. The locale is C, which every machine has.
func (c *cluster) initialise(ctx context.Context, i installation) error {
	file := filepath.Join(c.dir, "password")
	if err := os.WriteFile(file, []byte(c.password), 0o600); err != nil {
		return err
	}
	if err := c.owner.own(file); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + c.data(),
		"--username=postgres",
		"--auth=scram-sha-256",
		"--pwfile=" + file,
		"--encoding=UTF8",
		"--locale=C",
	}
	if !c.durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, i.program("initdb"), args...)
	cmd.Dir, cmd.Env = c.dir, serverEnv()
	c.owner.run(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("localpg: initdb: %w: %s", err, lastLine(out))
	}
	return os.Remove(file)
}

// copyData fills the data folder from a kept one.
func (c *cluster) copyData(from string) error {
	if err := os.CopyFS(c.data(), os.DirFS(from)); err != nil {
		return fmt.Errorf("localpg: copy the data folder: %w", err)
	}
	if err := os.Chmod(c.data(), 0o700); err != nil { // Postgres insists
		return err
	}
	return c.owner.own(c.data())
}

// keep stores the fresh data folder for the next start. Several processes may come first at once: each fills a
// folder of its own and the first rename wins. A failure costs the next start a second and is no error.
func (c *cluster) keep(cached string) {
	if cached == "" || os.MkdirAll(filepath.Dir(cached), 0o700) != nil {
		return
	}
	fresh, err := os.MkdirTemp(filepath.Dir(cached), "new-")
	if err != nil {
		return
	}
	defer func() { _ = os.RemoveAll(fresh) }() // finds nothing after the rename
	if os.CopyFS(filepath.Join(fresh, "data"), os.DirFS(c.data())) != nil {
		return
	}
	if os.WriteFile(filepath.Join(fresh, "password"), []byte(c.password), 0o600) != nil {
		return
	}
	_ = os.Rename(fresh, cached)
}

// cacheFolder is where the data folder of this installation is kept, empty if there is no such place. The whole
// version text counts: another build of the same version may not read the same files.
func cacheFolder(i installation) string {
	user, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(i.version))
	return filepath.Join(user, "sendpromptly", "postgres", fmt.Sprintf("%d-%s", i.major, hex.EncodeToString(sum[:6])))
}

// serverEnv is the environment of the server's programs: nothing of the caller's PG… variables and no secrets.
func serverEnv() []string { return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"} }

// lastLine returns the last line that says something.
func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
