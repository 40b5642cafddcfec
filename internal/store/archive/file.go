package archive

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// archiveFile is one archive file while it is written. Until its manifest exists, it has the name
// partName and none of its effects have been removed.
type archiveFile struct {
	folder   string
	manifest Manifest
	firstID  string
	file     *os.File
	sum      hash.Hash
	buffer   *bufio.Writer
	zip      *gzip.Writer
}

// partName is the name of the file that a run is writing. After an interruption, the next run
// overwrites it.
func partName(project string) string { return "sendpromptly-" + project + ".part" }

func newArchiveFile(folder, project string) (*archiveFile, error) {
	file, err := os.OpenFile(filepath.Join(folder, partName(project)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	a := &archiveFile{
		folder:   folder,
		file:     file,
		sum:      sha256.New(),
		manifest: Manifest{Format: 1, Project: project, State: stateWritten, Stayed: []string{}},
	}
	a.buffer = bufio.NewWriter(io.MultiWriter(file, a.sum))
	a.zip = gzip.NewWriter(a.buffer)
	return a, nil
}

// add writes one effect's line.
func (a *archiveFile) add(id, document string) error {
	var parts struct {
		Effect struct {
			AcceptedAt time.Time `json:"accepted_at"`
		} `json:"effect"`
		Entries  []json.RawMessage `json:"entries"`
		Incident json.RawMessage   `json:"incident"`
	}
	if err := json.Unmarshal([]byte(document), &parts); err != nil {
		return err
	}
	at := parts.Effect.AcceptedAt
	if a.manifest.Effects == 0 {
		a.firstID, a.manifest.AcceptedFrom, a.manifest.AcceptedTo = id, at.UTC(), at.UTC()
	}
	// Ids are in the order of time to the millisecond only.
	if at.Before(a.manifest.AcceptedFrom) {
		a.manifest.AcceptedFrom = at.UTC()
	}
	if at.After(a.manifest.AcceptedTo) {
		a.manifest.AcceptedTo = at.UTC()
	}
	a.manifest.Effects++
	a.manifest.Entries += len(parts.Entries)
	if string(parts.Incident) != "null" {
		a.manifest.Incidents++
	}
	_, err := a.zip.Write(append(oneLine(document), '\n'))
	return err
}

// oneLine removes the line breaks that Postgres puts between members. There are no others: in JSON
// values they are escaped.
func oneLine(document string) []byte {
	line := make([]byte, 0, len(document)+1)
	for i := range len(document) {
		if document[i] != '\n' {
			line = append(line, document[i])
		}
	}
	return line
}

// finish syncs the file, writes its manifest, and gives the file its name. After that its effects
// may be removed.
func (a *archiveFile) finish(settledBefore time.Time) (Manifest, error) {
	err := errors.Join(a.zip.Close(), a.buffer.Flush(), a.file.Sync())
	if err != nil {
		return a.manifest, err
	}
	info, err := a.file.Stat()
	if err != nil {
		return a.manifest, err
	}
	a.manifest.Bytes, a.manifest.SHA256 = info.Size(), hex.EncodeToString(a.sum.Sum(nil))
	a.manifest.SettledBefore = settledBefore.UTC()
	a.manifest.File = fileName(a.manifest.Project, a.manifest.AcceptedFrom, a.firstID)
	if err := writeManifest(a.folder, a.manifest); err != nil {
		return a.manifest, err
	}
	return a.manifest, name(a.folder, partName(a.manifest.Project), a.manifest.File)
}

// abandon closes the file, and removes it if it has no name yet.
func (a *archiveFile) abandon() {
	_ = a.file.Close()
	if a.manifest.File == "" {
		_ = os.Remove(a.file.Name())
	}
}

// finishFile gives a file its name if a run was interrupted just before that, checks it against its
// manifest, and returns the ids of its effects.
func finishFile(folder string, m Manifest) ([]string, error) {
	file, err := os.Open(filepath.Join(folder, filepath.Base(m.File)))
	if errors.Is(err, os.ErrNotExist) {
		if err := matches(filepath.Join(folder, partName(m.Project)), m); err != nil {
			return nil, errTampered
		}
		if err := name(folder, partName(m.Project), filepath.Base(m.File)); err != nil {
			return nil, err
		}
		return finishFile(folder, m)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if err := matches(file.Name(), m); err != nil {
		return nil, err
	}
	return archivedIDs(file)
}

// matches compares a file with the hash in its manifest.
func matches(path string, m Manifest) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return errTampered
	}
	return nil
}

// archivedIDs returns the ids of the effects in a file.
func archivedIDs(file io.Reader) (ids []string, err error) {
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(zip)
	for {
		var line struct {
			Effect struct {
				ID string `json:"effect_id"`
			} `json:"effect"`
		}
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return ids, nil
		} else if err != nil {
			return nil, err
		}
		ids = append(ids, line.Effect.ID)
	}
}

func readManifest(path string) (m Manifest, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	err = json.Unmarshal(body, &m)
	return m, err
}

// writeManifest replaces a manifest atomically.
func writeManifest(folder string, m Manifest) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	final := m.File + manifestSuffix
	file, err := os.OpenFile(filepath.Join(folder, final+".part"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(body, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return name(folder, final+".part", final)
}

// name gives a synced file its final name, and syncs the folder.
func name(folder, from, to string) error {
	if err := os.Rename(filepath.Join(folder, from), filepath.Join(folder, to)); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(dir), dir.Close())
}
