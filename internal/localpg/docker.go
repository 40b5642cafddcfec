package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// dockerImage is what a container is started from; Docker fetches it if it is not there.
const dockerImage = "postgres:17"

// containerTimeout bounds the start of a container, the download of its image included.
const containerTimeout = 5 * time.Minute

// containerScript runs the image's server and ends with its standard input, as guardScript does: Docker closes it
// when the client goes away, and a container goes when its first process does.
const containerScript = `docker-entrypoint.sh postgres "$@" </dev/null & cat >/dev/null`

// dockerAnswers reports whether there is a Docker client with a running engine behind it.
func dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run() == nil
}

// startContainer starts a server in a container whose port is bound to 127.0.0.1.
func startContainer(ctx context.Context, cfg Config) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, containerTimeout)
	defer cancel()
	name, password := "sendpromptly-pg-"+strings.ToLower(rand.Text()[:12]), rand.Text()
	args := []string{
		"run", "--rm", "--interactive", "--name", name, "--publish", "127.0.0.1::5432",
		"--env", "POSTGRES_PASSWORD", "--entrypoint", "sh", dockerImage, "-c", containerScript, "sh",
	}
	for _, setting := range cfg.settings() {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "POSTGRES_PASSWORD="+password) // not an argument: those are for all to see
	account{}.run(cmd)
	process, err := guard(cmd, func() error { return nil })
	if err != nil {
		return nil, err
	}
	s, err := waitContainer(ctx, process, name, password)
	if err != nil {
		return nil, errors.Join(err, process.stop())
	}
	s.process = process
	return s, nil
}

// waitContainer waits until the server in the container accepts connections. The image's first start is a server
// for its own set-up, which listens to no network: so a connection that works is to the real one.
func waitContainer(ctx context.Context, process *guarded, name, password string) (*Server, error) {
	for {
		if port, err := publishedPort(ctx, name); err == nil {
			if s, err := connect(ctx, serverURL(port, password)); err == nil {
				return s, nil
			}
		}
		select {
		case <-process.done:
			return nil, fmt.Errorf("localpg: docker run: %s", lastLine([]byte(process.output.String())))
		case <-ctx.Done():
			return nil, fmt.Errorf("localpg: the container is not ready: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// publishedPort asks for the port of this machine that Docker chose.
func publishedPort(ctx context.Context, name string) (int, error) {
	out, err := exec.CommandContext(ctx, "docker", "port", name, "5432/tcp").Output()
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(out), "\n")
	_, port, err := net.SplitHostPort(strings.TrimSpace(first))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
