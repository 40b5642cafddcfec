package proofs

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// Folder is a folder with one JWK per file. The keys have the order of the file
// names: the last one signs. The suffix of a name determines the use of its key:
//
//	NAME.jwk                  verifies, and signs if it is the last
//	NAME.verify.jwk           verifies only
//	NAME.jwk.retired          is not read
//	NAME.verify.jwk.retired   is not read
//
// Other files are ignored. A file may contain a public key. A file with a private
// key must not be accessible to all users. Every change is one rename.
type Folder string

const (
	signs   = ".jwk"
	verify  = ".verify.jwk"
	retired = ".retired"
	// stamp is the format of the time with which New begins a name; names sort by time.
	stamp = "20060102T150405.000Z"
)

// ErrNoSuchKey means that the folder has no such key in that state.
var ErrNoSuchKey = errors.New("no such proof key")

// KeyFile is a key in a folder.
type KeyFile struct {
	jws.Key
	// Name is the name of the file.
	Name string
	// Retired keys neither sign nor verify.
	Retired bool
	// VerifyOnly keys do not sign.
	VerifyOnly bool
}

// New creates a key and returns its thumbprint. The key signs after the next reload.
// Only the owner can read its file.
func (f Folder) New() (string, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return "", err
	}
	key, err := generate()
	if err != nil {
		return "", err
	}
	text, err := key.PrivateJWK()
	if err != nil {
		return "", err
	}
	at, err := f.nextStamp(time.Now().UTC())
	if err != nil {
		return "", err
	}
	name := at.Format(stamp) + "-" + key.ID() + signs
	return key.ID(), f.write(name, append(text, '\n'))
}

// generate makes a key whose thumbprint does not begin with a dash, so that it is
// not taken for a flag on a command line.
func generate() (jws.Key, error) {
	for {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return jws.Key{}, err
		}
		if key, err := jws.NewKey(private); err != nil || key.ID()[0] != '-' {
			return key, err
		}
	}
}

// nextStamp is now, or later if the folder has a key with a later time.
func (f Folder) nextStamp(now time.Time) (time.Time, error) {
	names, err := f.names()
	for _, name := range names {
		if len(name) < len(stamp) {
			continue
		}
		if at, err := time.Parse(stamp, name[:len(stamp)]); err == nil && !now.Truncate(time.Millisecond).After(at) {
			now = at.Add(time.Millisecond)
		}
	}
	return now, err
}

// write writes a file atomically: complete or not at all.
func (f Folder) write(name string, text []byte) error {
	temporary, err := os.CreateTemp(string(f), ".new-*") // only the owner can read it
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	if err == nil {
		err = temporary.Sync()
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), filepath.Join(string(f), name))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(temporary.Name()))
	}
	return err
}

// List returns all keys, including retired ones, the newest first. An error names
// the files that could not be read; the other keys are still returned.
func (f Folder) List() ([]KeyFile, error) {
	names, err := f.names()
	if err != nil {
		return nil, err
	}
	files := []KeyFile{}
	var unread []error
	for _, name := range names {
		key, err := f.read(name)
		if err != nil {
			unread = append(unread, fmt.Errorf("proof key %s: %w", name, err))
			continue
		}
		files = append(files, KeyFile{
			Key: key, Name: name, Retired: strings.HasSuffix(name, retired),
			VerifyOnly: !key.Signs() || strings.HasSuffix(strings.TrimSuffix(name, retired), verify),
		})
	}
	slices.Reverse(files)
	return files, errors.Join(unread...)
}

// names returns the sorted names of all key files. A missing folder has none.
func (f Folder) names() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && strings.HasSuffix(strings.TrimSuffix(name, retired), signs) {
			names = append(names, name)
		}
	}
	return names, err
}

// maxKeyFile bounds the size of a file; a JWK has about 200 bytes.
const maxKeyFile = 16 << 10

func (f Folder) read(name string) (jws.Key, error) {
	path := filepath.Join(string(f), name)
	info, err := os.Stat(path)
	if err != nil {
		return jws.Key{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return jws.Key{}, errors.New("not a regular file of at most 16 KiB")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return jws.Key{}, err
	}
	key, err := jws.ParseKey(text)
	if err == nil && key.Signs() && runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return jws.Key{}, errors.New("the file contains a private key and others can access it: run chmod 600")
	}
	return key, err
}

// load is the source of [LoadKeys].
func (f Folder) load() ([]jws.Key, error) {
	files, err := f.List()
	for range 3 { // retry if a key was renamed between reading the folder and the file
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		files, err = f.List()
	}
	if files == nil {
		return nil, err
	}
	keys := []jws.Key{}
	for _, file := range slices.Backward(files) {
		if file.VerifyOnly {
			file.Key = file.Key.PublicHalf()
		}
		if !file.Retired {
			keys = append(keys, file.Key)
		}
	}
	return keys, err
}
