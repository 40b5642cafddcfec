package pg

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// backendCPU is the time that a backend has run on a CPU, in user and kernel mode together. Linux counts it to the
// nanosecond for its scheduler in /proc/PID/schedstat; utime and stime have steps of 10 ms.
func backendCPU(pid uint32) (time.Duration, error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	// In a container process ids are different: the process with this id outside is not a Postgres.
	command, err := os.ReadFile(folder + "comm")
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(command, []byte("postgres")) {
		return 0, fmt.Errorf("process %d is %s", pid, bytes.TrimSpace(command))
	}
	text, err := os.ReadFile(folder + "schedstat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) == 0 {
		return 0, fmt.Errorf("%sschedstat is empty", folder)
	}
	nanoseconds, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return time.Duration(nanoseconds), err
}
