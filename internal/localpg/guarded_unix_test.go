//go:build unix

package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// asParent makes the test binary start a server, print its URL and wait to be killed.
const asParent = "LOCALPG_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) != "" {
		s, err := Start(context.Background(), Config{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL())
		select {}
	}
	os.Exit(m.Run())
}

func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"=1")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = strings.TrimSpace(url)
	folder := folderOf(t, &Server{url: url})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil { // the end that no handler sees
		t.Fatal(err)
	}
	_ = parent.Wait()
	if _, err := conn.WaitForNotification(t.Context()); err == nil {
		t.Error("the connection survived")
	}
	waitGone(t, folder)
}

// waitGone waits until the guard, which nobody can wait for, has removed the folder.
func waitGone(t *testing.T, folder string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s is still there", folder)
		}
	}
}

func TestServerThatCannotStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	i, c := emptyCluster(t)
	process, err := c.start(i, 5432, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.waitReady(t.Context(), process); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("%v, want what the server said", err)
	}
	if err := process.stop(); err != nil {
		t.Error(err)
	}
	waitGone(t, c.dir)
}

func TestTakenPortIsTold(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	i, c := emptyCluster(t)
	if err := c.fill(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	process, err := c.start(i, listener.Addr().(*net.TCPAddr).Port, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.waitReady(t.Context(), process); !errors.Is(err, errPortTaken) {
		t.Errorf("%v, want %v", err, errPortTaken)
	}
	if err := process.stop(); err != nil {
		t.Error(err)
	}
}

// emptyCluster makes a server's folder with nothing in it.
func emptyCluster(t *testing.T) (installation, cluster) {
	t.Helper()
	i, err := findInstallation(t.Context(), installationFolders(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	base, err := baseFolder(owner, Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{owner: owner}
	if c.dir, err = os.MkdirTemp(base, folderPrefix); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.remove() })
	if err := owner.own(c.dir); err != nil {
		t.Fatal(err)
	}
	return i, c
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var kept tail
	for range 3 * tailSize / 10 {
		_, _ = kept.Write([]byte("0123456789"))
	}
	_, _ = kept.Write([]byte("the end"))
	if got := kept.String(); len(got) != tailSize || !strings.HasSuffix(got, "789the end") {
		t.Errorf("%d bytes, %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestAbandonedFoldersAreSwept(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	long := time.Now().Add(-2 * staleAfter)
	for name, pid := range map[string]string{"dead": "999999999", "alive": "1", "young": "999999999"} {
		folder := filepath.Join(base, folderPrefix+name)
		if err := os.MkdirAll(filepath.Join(folder, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "data", "postmaster.pid"), []byte(pid+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "young" {
			if err := os.Chtimes(folder, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweepStale(base)
	left, _ := filepath.Glob(filepath.Join(base, "*"))
	if len(left) != 2 || !strings.HasSuffix(left[0], "alive") || !strings.HasSuffix(left[1], "young") {
		t.Errorf("left %q", left)
	}
}
