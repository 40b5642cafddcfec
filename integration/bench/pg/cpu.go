package pg

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// backendCPU is the time that a backend has run on a CPU, in user and kernel mode together. Linux counts it to the
// nanosecond for the scheduler's sake in /proc/PID/schedstat; utime and stime beside it come in steps of 10 ms.
func backendCPU(pid uint32) (time.Duration, error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	// In a container process ids are others: what has this one outside is no Postgres.
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
