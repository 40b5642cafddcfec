package proofs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Retire takes a key out: it neither signs nor verifies any more, and proofs
// signed by it are dead within one reload. Rollback takes it back.
func (f Folder) Retire(id string) error {
	return f.renameAll(id, func(k KeyFile) (string, bool) { return k.Name + retired, !k.Retired })
}

// Rollback takes back the last New: the key that signs verifies from then on,
// and the one before it signs. It returns the thumbprints of both.
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
		return "", "", fmt.Errorf("%w: nothing could sign instead of the newest", ErrNoSuchKey)
	}
	newest := signing[0]
	return newest.ID(), signing[1].ID(), f.rename(newest.Name, strings.TrimSuffix(newest.Name, signs)+verify)
}

// Restore takes back what was last done to a key: its retirement, or that it was
// rolled back.
func (f Folder) Restore(id string) error {
	return f.renameAll(id, func(k KeyFile) (string, bool) {
		if k.Retired {
			return strings.TrimSuffix(k.Name, retired), true
		}
		return strings.TrimSuffix(k.Name, verify) + signs, strings.HasSuffix(k.Name, verify)
	})
}

// renameAll renames the files of one key as to says. Other files that cannot be
// read do not keep it from that.
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
