package localpg

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"time"
)

// stopTimeout bounds the stop of a server. It takes milliseconds; a container's a second or two.
const stopTimeout = 20 * time.Second

// guarded is a running command that ends when its standard input is closed, and so also when this process dies.
type guarded struct {
	cmd    *exec.Cmd
	stdin  *os.File
	done   chan struct{} // closed when the command has ended
	output tail
	remove func() error // clears up behind it, may find everything cleared already
}

// guard starts cmd with the standard input that keeps it alive.
func guard(cmd *exec.Cmd, remove func() error) (*guarded, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	g := &guarded{cmd: cmd, stdin: write, done: make(chan struct{}), remove: remove}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, &g.output, &g.output
	cmd.WaitDelay = time.Second // processes of the server that linger hold the output open
	err = cmd.Start()
	_ = read.Close()
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // the status of a server that was told to stop at once says nothing
		close(g.done)
	}()
	return g, nil
}

// stop ends the command and clears up. It returns when both are done.
func (g *guarded) stop() error {
	err := g.stdin.Close()
	select {
	case <-g.done:
	case <-time.After(stopTimeout):
		killGroup(g.cmd)
		<-g.done
		err = errors.Join(err, errors.New("localpg: the server did not stop and was killed"))
	}
	return errors.Join(err, g.remove())
}

// tail keeps the last few thousand bytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4096

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailSize; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
