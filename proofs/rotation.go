package proofs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Retire retires a key: after the next reload it neither signs nor verifies, and its
// proofs are invalid. Restore undoes it. The error is [ErrNoSuchKey] if there is no
// such key, or if it is retired already.
func (f Folder) Retire(id string) error {
	return f.renameAll(id, func(k KeyFile) (string, bool) { return k.Name + retired, !k.Retired })
}

// Rollback undoes the last New: the newest key only verifies, and the previous key
// signs again. It returns the thumbprints of both. The error is [ErrNoSuchKey] if
// no other key could sign.
func (f Folder) Rollback() (from, to string, err error) {
	files, err := f.List()
	if err != nil {
		return "", "", err
	}
	var signing []KeyFile
	for _, k := range files {
		if !k.Retired && !k.VerifyOnly {
			signing = append(signing, k)
		}
	}
	if len(signing) < 2 {
		return "", "", fmt.Errorf("%w: no other key could sign instead of the newest one", ErrNoSuchKey)
	}
	newest := signing[0]
	return newest.ID(), signing[1].ID(), f.rename(newest.Name, strings.TrimSuffix(newest.Name, signs)+verify)
}

// Restore undoes the last change of a key: its retirement or its rollback. The error
// is [ErrNoSuchKey] if there was no change.
func (f Folder) Restore(id string) error {
	return f.renameAll(id, func(k KeyFile) (string, bool) {
		if k.Retired {
			return strings.TrimSuffix(k.Name, retired), true
		}
		return strings.TrimSuffix(k.Name, verify) + signs, strings.HasSuffix(k.Name, verify)
	})
}

// renameAll renames the files of one key to the names that to returns. Unreadable
// files of other keys do not prevent that.
func (f Folder) renameAll(id string, to func(KeyFile) (string, bool)) error {
	files, err := f.List()
	found := false
	for _, k := range files {
		name, wanted := to(k)
		if k.ID() != id || !wanted {
			continue
		}
		found = true
		if err := f.rename(k.Name, name); err != nil {
			return err
		}
	}
	if !found {
		return errors.Join(ErrNoSuchKey, err)
	}
	return nil
}

func (f Folder) rename(from, to string) error {
	return os.Rename(filepath.Join(string(f), from), filepath.Join(string(f), to))
}
