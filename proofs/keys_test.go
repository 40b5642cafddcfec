package proofs

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// rotating is a folder with the keys that were loaded from it.
type rotating struct {
	*testing.T
	folder Folder
	keys   *Keys
}

func newRotating(t *testing.T) rotating {
	t.Helper()
	folder := Folder(filepath.Join(t.TempDir(), "keys"))
	keys, err := LoadKeys(string(folder))
	if err != nil {
		t.Fatal(err)
	}
	return rotating{t, folder, keys}
}

// newKey makes a key and reloads.
func (r rotating) newKey() string {
	r.Helper()
	id := r.mustNew()
	r.done(nil)
	return id
}

func (r rotating) mustNew() string {
	r.Helper()
	id, err := r.folder.New()
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// done requires that a change went well, and reloads.
func (r rotating) done(err error) {
	r.Helper()
	if err := errors.Join(err, r.keys.Reload()); err != nil {
		r.Fatal(err)
	}
}

// sign requires that a certain key signs.
func (r rotating) sign(by string) string {
	r.Helper()
	token, err := r.keys.Signer().Sign(testGrant())
	if err != nil {
		r.Fatal(err)
	}
	if message, err := jws.Parse(token, Type); err != nil || message.KeyID != by {
		r.Errorf("signed by %s, want %s (%v)", message.KeyID, by, err)
	}
	return token
}

func (r rotating) verifies(token string, want ...Reason) {
	r.Helper()
	_, err := NewVerifier(r.keys, testIssuer).Verify(token, testNow)
	requireReasons(r.T, err, want...)
}

func TestKeysRotateWithoutDowntime(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	if _, err := r.keys.Signer().
		Sign(testGrant()); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "spadmin proof keys new") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("without a key: %v", err)
	}
	if string(r.keys.JWKS()) != `{"keys":[]}` {
		t.Errorf("without a key: %s", r.keys.JWKS())
	}
	first := r.newKey()
	byFirst := r.sign(first)
	second := r.newKey()
	bySecond := r.sign(second)
	r.verifies(byFirst)
	r.verifies(bySecond)

	from, to, err := r.folder.Rollback()
	r.done(err)
	if from != second || to != first {
		t.Errorf("rolled back from %s to %s", from, to)
	}
	r.sign(first)
	r.verifies(bySecond)
	if _, _, err := r.folder.Rollback(); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("the only key that signs was rolled back: %v", err)
	}
	r.done(r.folder.Restore(second))
	r.sign(second)

	r.done(r.folder.Retire(first))
	r.verifies(byFirst, UnknownKey)
	r.verifies(bySecond)
	if strings.Contains(string(r.keys.JWKS()), first) || !strings.Contains(string(r.keys.JWKS()), second) {
		t.Errorf("published: %s", r.keys.JWKS())
	}
	r.done(r.folder.Restore(first))
	r.verifies(byFirst)
	r.sign(second)

	r.done(r.folder.Retire(second))
	r.sign(first)
	r.verifies(bySecond, UnknownKey)
	for _, err := range []error{
		r.folder.Retire(second), r.folder.Retire("nobody"), r.folder.Restore(first), r.folder.Restore("nobody"),
	} {
		if !errors.Is(err, ErrNoSuchKey) {
			t.Errorf("a change of no key: %v", err)
		}
	}
}

func TestAKeyKeepsItsPlaceThroughRollbackAndRetirement(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	first, second, third := r.newKey(), r.newKey(), r.newKey()
	_, _, err := r.folder.Rollback()
	r.done(err)
	r.done(r.folder.Retire(third))
	r.done(r.folder.Restore(third))
	r.sign(second)
	r.done(r.folder.Restore(third))
	r.sign(third)
	files, err := r.folder.List()
	if err != nil || len(files) != 3 || files[0].ID() != third || files[1].ID() != second || files[2].ID() != first {
		t.Errorf("%v, %v", files, err)
	}
}

func TestANewKeyIsNewerThanAllOthers(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	first := r.newKey()
	files, err := r.folder.List()
	if err != nil {
		t.Fatal(err)
	}
	future := "29991231T235959.999Z-" + first + ".jwk"
	r.done(r.folder.rename(files[0].Name, future))
	for range 20 {
		r.sign(r.newKey())
	}
}

func TestNoThumbprintLooksLikeAFlag(t *testing.T) {
	t.Parallel()
	for range 300 { // of others one in 64 does
		key, err := generate()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key.ID(), "-") {
			t.Fatal(key.ID())
		}
	}
}

func TestPrivateKeysAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	id := r.newKey()
	files, err := r.folder.List()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(string(r.folder), files[0].Name)
	for name, want := range map[string]os.FileMode{path: 0o600, string(r.folder): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.keys.Reload(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a private key that everybody may read: %v", err)
	}
	if _, err := r.keys.Signer().Sign(testGrant()); !errors.Is(err, ErrNoKey) {
		t.Errorf("%s signs all the same: %v", id, err)
	}
	public, err := json.Marshal(files[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, public, 0o644); err != nil {
		t.Fatal(err)
	}
	r.done(nil)
	if _, err := r.keys.Signer().Sign(testGrant()); !errors.Is(err, ErrNoKey) {
		t.Errorf("a public key signs: %v", err)
	}
}

func TestOtherFilesInTheFolderAreLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	id := r.newKey()
	for _, name := range []string{"README", ".hidden.jwk", "x.jwk.bak", ".new-1"} {
		if err := os.WriteFile(filepath.Join(string(r.folder), name), []byte("no key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.done(nil)
	r.sign(id)
	broken := filepath.Join(string(r.folder), "zzz.jwk")
	if err := os.WriteFile(broken, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := r.mustNew()
	byFirst := r.sign(id)
	if err := r.keys.Reload(); err == nil || !strings.Contains(err.Error(), "zzz.jwk") {
		t.Errorf("a broken key: %v", err)
	}
	r.sign(second)
	r.verifies(byFirst)
	if err := r.folder.Retire(id); err != nil {
		t.Fatal(err)
	}
	if err := r.keys.Reload(); err == nil || !strings.Contains(err.Error(), "zzz.jwk") {
		t.Errorf("a broken key: %v", err)
	}
	r.verifies(byFirst, UnknownKey) // a broken file keeps no key from being retired
	if err := os.Rename(string(r.folder), string(r.folder)+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(r.folder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.keys.Reload(); err == nil {
		t.Error("a folder that cannot be read is one")
	}
	r.sign(second) // what was loaded stays
	if _, err := LoadKeys(""); err == nil {
		t.Error("a folder without a name is one")
	}
}

func TestKeysComeFromTextToo(t *testing.T) {
	t.Parallel()
	private, err := testKey(t, 1).PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(private)
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Signer().Sign(testGrant())
	if err != nil {
		t.Fatal(err)
	}
	published, err := ParseKeys(keys.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewVerifier(published, testIssuer).Verify(token, testNow); err != nil {
		t.Error(err)
	}
	if _, err := published.Signer().Sign(testGrant()); !errors.Is(err, ErrNoKey) {
		t.Errorf("what is published signs: %v", err)
	}
	if strings.Contains(string(keys.JWKS()), `"d"`) {
		t.Error("the private half is published")
	}
}

func TestOnlyOneOfTheKeysCanBeTrusted(t *testing.T) {
	t.Parallel()
	token := sign(t, testKey(t, 1), testGrant())
	keys := testKeys(t, testKey(t, 1), testKey(t, 2))
	for _, only := range []*Keys{keys.Only(testKey(t, 1).ID()), keys.Only(testKey(t, 2).ID()), keys.Only("")} {
		for range 2 {
			_, err := NewVerifier(only, testIssuer).Verify(token, testNow)
			if known := len(only.List()) == 1 && only.List()[0].ID() == testKey(t, 1).ID(); known != (err == nil) {
				t.Errorf("%s: %v", only.JWKS(), err)
			}
			if err := only.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Servers sign and verify while an operator rotates.
func TestRotationGoesOnWhileOthersSignAndVerify(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	r.newKey()
	stop := make(chan struct{})
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				keys, err := LoadKeys(string(r.folder))
				if err != nil {
					t.Error(err)
					return
				}
				token, err := keys.Signer().Sign(testGrant())
				if err == nil {
					_, err = NewVerifier(keys, testIssuer).Verify(token, testNow)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		id := r.newKey()
		_, _, err := r.folder.Rollback()
		r.done(err)
		r.done(r.folder.Retire(id))
	}
	close(stop)
	working.Wait()
}
