//go:build unix

package archive

import (
	"os"
	"syscall"
)

// lockFolder prevents a second run in a folder. The lock ends with the process.
func lockFolder(folder string) (unlock func(), err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = dir.Close()
		return nil, err
	}
	return func() { _ = dir.Close() }, nil
}

// syncFolder makes a rename durable.
func syncFolder(dir *os.File) error { return dir.Sync() }
