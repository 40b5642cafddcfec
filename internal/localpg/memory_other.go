//go:build !linux

package localpg

// memoryFolder knows no folder in memory.
func memoryFolder() string { return "" }
