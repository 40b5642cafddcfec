package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// keepScript runs a server like guardScript, but stops it in order and leaves its folder.
const keepScript = `exec 3<&0
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -INT $server; } 2>/dev/null &
guard=$!
wait $server
status=$?
kill $guard 2>/dev/null
exit $status`

// StartKept starts a server whose data stays in a folder, which it makes if need be, with settings that survive a
// crash. It takes the newest local installation, listens on a free port of this machine and with the password kept
// in the folder, and ends with this process. Only one process can have a folder at a time. The caller closes it.
func StartKept(ctx context.Context, dir string) (*Server, error) {
	installed, err := findInstallation(ctx, installationFolders(ctx))
	if err != nil {
		return nil, err
	}
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := keptCluster(ctx, installed, owner, dir)
	if err != nil {
		return nil, err
	}
	if c.port, err = freePort(); err != nil {
		return nil, err
	}
	args := []string{
		"-c", keepScript, "sh", installed.program("postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
	}
	for _, setting := range (Config{Durable: true}).settings() {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("sh", args...)
	cmd.Dir, cmd.Env = c.dir, serverEnv()
	owner.run(cmd)
	process, err := guard(cmd, func() error { return nil })
	if err != nil {
		return nil, err
	}
	var s *Server
	if err = c.waitReady(ctx, process); err == nil {
		s, err = connect(ctx, serverURL(c.port, c.password))
	}
	if err != nil {
		return nil, errors.Join(err, process.stop())
	}
	s.process = process
	return s, nil
}

// keptCluster makes the folder's data, once. What initdb has not finished does not count.
func keptCluster(ctx context.Context, i installation, owner account, dir string) (cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return cluster{}, err
	}
	c := cluster{dir: dir, owner: owner, durable: true}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, err
	}
	if owner.other && !searchable(filepath.Dir(dir)) {
		return c, fmt.Errorf("localpg: the user that runs Postgres cannot reach %s: choose another folder", dir)
	}
	secret := filepath.Join(dir, "password")
	if text, err := os.ReadFile(secret); err == nil {
		c.password = strings.TrimSpace(string(text))
		return c, nil
	}
	fresh := cluster{dir: filepath.Join(dir, "new"), owner: owner, durable: true, password: rand.Text()}
	if err := errors.Join(os.RemoveAll(fresh.dir), os.RemoveAll(c.data()), os.Mkdir(fresh.dir, 0o700),
		owner.own(dir)); err != nil {
		return c, err
	}
	if err := fresh.initialise(ctx, i); err != nil {
		return c, err
	}
	// The password comes last: with it the data is whole.
	c.password = fresh.password
	return c, errors.Join(os.Rename(fresh.data(), c.data()), os.Remove(fresh.dir),
		os.WriteFile(secret, []byte(c.password), 0o600))
}
