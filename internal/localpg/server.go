package localpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTries bounds the starts: on another port if the first was taken, and without the kept data
// folder if no server starts from it.
const startTries = 5

// guardScript runs a server until its standard input closes. We hold the other end, which the
// system closes even if we are killed. The script then stops the server at once and removes its
// folder ($1). It uses SIGQUIT, because an orderly stop would wait for a checkpoint.
const guardScript = `folder=$1; shift
exec 3<&0
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -QUIT $server; } 2>/dev/null &
guard=$!
wait $server
status=$?
kill $guard 2>/dev/null
rm -rf "$folder"
exit $status`

// startInstalled starts a server from a local installation.
func startInstalled(ctx context.Context, i installation, cfg Config) (*Server, error) {
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for try := 1; ; try++ {
		s, err := startOnce(ctx, i, owner, cfg)
		if err == nil || try == startTries || !errors.Is(err, errPortTaken) && !errors.Is(err, errDamaged) {
			return s, err
		}
	}
}

var (
	errPortTaken = errors.New("localpg: another process took the port")
	errDamaged   = errors.New("localpg: the kept data folder was damaged")
)

// startOnce makes a cluster and starts a server on it.
func startOnce(ctx context.Context, i installation, owner account, cfg Config) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c, err := newCluster(ctx, i, owner, cfg)
	if err != nil {
		return nil, err
	}
	process, err := c.start(i, port, cfg)
	if err != nil {
		_ = c.remove()
		return nil, err
	}
	if err = c.waitReady(ctx, process); err == nil {
		var s *Server
		if s, err = connect(ctx, serverURL(port, c.password)); err == nil {
			s.process = process
			return s, nil
		}
	}
	if c.copied && ctx.Err() == nil && !errors.Is(err, errPortTaken) {
		err = errors.Join(errDamaged, err, os.RemoveAll(cacheFolder(i)))
	}
	return nil, errors.Join(err, process.stop())
}

// start starts the server under its guard.
func (c cluster) start(i installation, port int, cfg Config) (*guarded, error) {
	args := []string{
		"-c", guardScript, "sh", c.dir, i.program("postgres"), "-D", c.data(), "-k", c.socket(),
		"-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
	}
	for _, setting := range cfg.settings() {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("sh", args...)
	cmd.Dir, cmd.Env = c.dir, serverEnv()
	c.owner.run(cmd)
	return guard(cmd, c.remove)
}

// waitReady waits until the server accepts connections. Like pg_ctl, it reads the server's status
// file: a connection could reach another server on the same port.
func (c cluster) waitReady(ctx context.Context, process *guarded) error {
	for {
		if text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid")); err == nil {
			lines := strings.Split(string(text), "\n")
			// A file that a crash left behind names another port.
			if len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" && (c.port == 0 || lines[3] == strconv.Itoa(c.port)) {
				return nil
			}
		}
		select {
		case <-process.done:
			return whyStopped(process)
		case <-ctx.Done():
			return fmt.Errorf("localpg: the server is not ready: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// whyStopped returns the server's last message as an error.
func whyStopped(process *guarded) error {
	said := process.output.String()
	if strings.Contains(said, "Address already in use") {
		return errPortTaken
	}
	return fmt.Errorf("localpg: the server stopped during its start: %s", lastLine([]byte(said)))
}

// freePort returns a port of 127.0.0.1 that is free now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// serverURL is the connection string of a started server, without TLS, because it is on this
// machine.
func serverURL(port int, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}
