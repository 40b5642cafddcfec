package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// All returns the steps in order.
func All() ([]Migration, error) {
	s, err := released()
	return s.steps, err
}

// WriteFiles writes the steps with numbers above from into a folder, as files for goose:
// NNNNN_name.sql, the set of functions last. It creates the folder. An existing file must have the
// same text, because an applied file never changes. It returns the names of the files.
func WriteFiles(dir string, from int) ([]string, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range all {
		if m.Version <= from {
			continue
		}
		name := m.String() + ".sql"
		path := filepath.Join(dir, name)
		before, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = os.WriteFile(path, []byte(m.SQL), 0o644) //nolint:gosec // it holds no secret
		case err == nil && !bytes.Equal(before, []byte(m.SQL)):
			err = fmt.Errorf("%s exists with another text: remove it if no database has applied it yet", path)
		}
		if err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}
