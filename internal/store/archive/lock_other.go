//go:build !unix

package archive

import "os"

// lockFolder does not lock on this system: run only one at a time.
func lockFolder(string) (unlock func(), err error) { return func() {}, nil }

// syncFolder does nothing: folders cannot be synced here.
func syncFolder(*os.File) error { return nil }
