package localpg

import "syscall"

// memoryEnough is the free space that makes memory a place for data. The tests of the engine use 0.3 GB (measured).
const memoryEnough = 2 << 30

// memoryFolder returns a folder in memory with room for the data of a test run, or nothing. The memory that a
// container is given by default is far too small.
func memoryFolder() string {
	const folder = "/dev/shm"
	var stat syscall.Statfs_t
	if syscall.Statfs(folder, &stat) != nil || syscall.Access(folder, 2) != nil {
		return ""
	}
	if stat.Bavail*uint64(stat.Bsize) < memoryEnough {
		return ""
	}
	return folder
}
