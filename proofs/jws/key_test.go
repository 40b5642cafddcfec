package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// module is a signer that keeps its private half to itself, as a KMS does.
type module struct {
	private  ed25519.PrivateKey
	public   crypto.PublicKey
	instead  []byte // the signature that it returns
	failWith error
}

func (m module) Public() crypto.PublicKey { return m.public }

func (m module) Sign(_ io.Reader, message []byte, options crypto.SignerOpts) ([]byte, error) {
	if m.failWith != nil || m.instead != nil {
		return m.instead, m.failWith
	}
	return m.private.Sign(nil, message, options)
}

func TestAModuleThatKeepsItsKeySigns(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey(module{private: private, public: public})
	if err != nil || !key.Signs() {
		t.Fatal(err)
	}
	token, err := Sign(key, testType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	message, err := Parse(token, testType)
	if err != nil || message.Verify(key) != nil {
		t.Errorf("what the module signed does not verify: %v", err)
	}
	if _, err := key.PrivateJWK(); err == nil {
		t.Error("its private half was written")
	}
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	for name, broken := range map[string]module{
		"another public key": {private: private, public: other},
		"half a signature":   {private: private, public: public, instead: make([]byte, 32)},
		"zeros":              {private: private, public: public, instead: make([]byte, 64)},
		"an error":           {private: private, public: public, failWith: io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := NewKey(broken)
			if err != nil {
				t.Fatal(err)
			}
			if token, err := Sign(key, testType, []byte("{}")); err == nil {
				t.Errorf("%s gave the token %s", name, token)
			}
		})
	}
}

func TestOnlyEd25519KeysAreTaken(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, signer := range map[string]crypto.Signer{
		"P-256": curve, "nil": nil, "a short key": module{public: ed25519.PublicKey("short")}, "no key": module{},
	} {
		if _, err := NewKey(signer); err == nil {
			t.Errorf("a signer with %s is taken", name)
		}
	}
	for _, point := range []string{ // of small order
		strings.Repeat("00", 32), "01" + strings.Repeat("00", 31), "ec" + strings.Repeat("ff", 30) + "7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		raw, err := hex.DecodeString(point)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := PublicKey(raw); err == nil {
			t.Errorf("%s is taken", point)
		}
	}
	for _, text := range []string{
		``, `{}`, `[]`, `{"kty":"oct","k":"AAAA"}`, `{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, `{"kty":"OKP","crv":"Ed25519"}`,
		strings.Replace(rfcPublic, `}`, `,"kid":"other"}`, 1), strings.Replace(rfcPublic, `}`, `,"use":"enc"}`, 1),
		strings.Replace(rfcPublic, `}`, `,"alg":"HS256"}`, 1),
		strings.Replace(rfcPrivate, "nWGx", "AAAA", 1),
	} {
		if key, err := ParseKey([]byte(text)); err == nil {
			t.Errorf("%s is taken as %v", text, key)
		}
	}
}

func TestAKeySetLeavesOtherKindsOfKeysOut(t *testing.T) {
	t.Parallel()
	keys, err := ParseKeySet([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},` + rfcPublic + `,{"kty":"new","x":1}]}`))
	if err != nil || len(keys) != 1 || keys[0].ID() != rfcID {
		t.Errorf("%v, %v", keys, err)
	}
	if keys, err := ParseKeySet([]byte(rfcPublic)); err != nil || len(keys) != 1 {
		t.Errorf("a single key: %v, %v", keys, err)
	}
	if keys, err := ParseKeySet([]byte(`{"keys":[]}`)); err != nil || len(keys) != 0 {
		t.Errorf("no key: %v, %v", keys, err)
	}
	for _, text := range []string{
		``, `[]`, `{}`, `{"keys":{}}`, `{"keys":[1]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`,
		`{"keys":[` + strings.Repeat("{},", 100) + `{}]}`,
	} {
		if keys, err := ParseKeySet([]byte(text)); err == nil {
			t.Errorf("%s is taken as %v", text, keys)
		}
	}
}

func TestThePrivateHalfIsNeverShown(t *testing.T) {
	t.Parallel()
	key := rfcKey(t)
	public, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%s %v %+v %#v %s", public, key, key, []Key{key}, key)
	if strings.Contains(shown, "nWGxne") || strings.Contains(shown, "157, 97") || strings.Contains(shown, "157 97") ||
		strings.Contains(shown, `"d"`) {
		t.Errorf("there it is: %s", shown)
	}
	private, err := key.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseKey(private); err != nil || !again.Signs() || again.ID() != rfcID {
		t.Errorf("written and read again: %v, %v", again, err)
	}
}
