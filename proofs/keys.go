package proofs

import (
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// Keys are the keys of one issuer. The newest private key signs, and all of them
// verify. It is safe for concurrent use.
type Keys struct {
	source func() ([]jws.Key, error)
	set    atomic.Pointer[keySet]
}

// KeysFrom reads keys from a source, the newest last. It calls the source now and at
// every [Keys.Reload]. [jws.NewKey] makes a key of a KMS or HSM.
func KeysFrom(source func() ([]jws.Key, error)) (*Keys, error) {
	k := &Keys{source: source}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// LoadKeys reads the keys of a [Folder]. An empty or missing folder has no keys and
// gives no error.
func LoadKeys(dir string) (*Keys, error) {
	if dir == "" {
		return nil, errors.New("the folder of the proof keys is not set: set SENDPROMPTLY_PROOF_KEYS")
	}
	return KeysFrom(Folder(dir).load)
}

// ParseKeys reads the keys of a JWK or a JWK set, such as a published set or the
// value of an environment variable. The last private key signs.
func ParseKeys(text []byte) (*Keys, error) {
	return KeysFrom(func() ([]jws.Key, error) { return jws.ParseKeySet(text) })
}

// Reload calls the source again. After that, a new key signs, and a retired key no
// longer verifies. If the source returns keys and an error, Reload uses these keys and
// returns the error. So an unreadable key does not prevent the retirement of another.
// If the source returns an error and no keys, the keys stay unchanged. Reload is
// cheap: call it every few seconds.
func (k *Keys) Reload() error {
	keys, err := k.source()
	if err != nil && keys == nil {
		return err
	}
	set := &keySet{byID: map[string]jws.Key{}}
	for _, key := range keys {
		if key.Public() == nil {
			return errors.New("a proof key is empty")
		}
		if known, twice := set.byID[key.ID()]; !twice || !known.Signs() {
			set.byID[key.ID()] = key
		}
		set.order = append(slices.DeleteFunc(set.order, func(id string) bool { return id == key.ID() }), key.ID())
	}
	k.set.Store(set)
	return err
}

// Signer returns a signer that uses the newest key at the time of signing.
func (k *Keys) Signer() *Signer { return &Signer{keys: k} }

// List returns the keys, the newest first.
func (k *Keys) List() []jws.Key {
	set := k.current()
	keys := make([]jws.Key, 0, len(set.order))
	for _, id := range slices.Backward(set.order) {
		keys = append(keys, set.byID[id])
	}
	return keys
}

// JWKS returns the public key set (RFC 7517), the newest key first, for
// /.well-known/jwks.json.
func (k *Keys) JWKS() []byte {
	text, err := json.Marshal(map[string]any{"keys": k.List()})
	if err != nil {
		panic(err) // cannot happen: jws made and checked all keys
	}
	return text
}

// Only returns a set with only the key that has this thumbprint, or an empty set.
func (k *Keys) Only(id string) *Keys {
	only := &Keys{source: func() ([]jws.Key, error) {
		keys, err := k.source()
		return slices.DeleteFunc(keys, func(key jws.Key) bool { return key.ID() != id }), err
	}}
	set := &keySet{byID: map[string]jws.Key{}}
	if key, there := k.current().find(id); there {
		set.byID[id], set.order = key, []string{id}
	}
	only.set.Store(set)
	return only
}

func (k *Keys) current() *keySet { return k.set.Load() }

// keySet is one result of the source.
type keySet struct {
	order []string // ids, the newest last
	byID  map[string]jws.Key
}

func (s *keySet) find(id string) (jws.Key, bool) {
	key, there := s.byID[id]
	return key, there
}

// signing returns the newest key that has its private half.
func (s *keySet) signing() (jws.Key, bool) {
	for _, id := range slices.Backward(s.order) {
		if key := s.byID[id]; key.Signs() {
			return key, true
		}
	}
	return jws.Key{}, false
}
