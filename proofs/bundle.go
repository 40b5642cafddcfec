package proofs

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

const (
	// BundleFormat is the value of a bundle's member "format".
	BundleFormat = "sendpromptly.bundle.v1"
	// MaxBundle is the largest bundle, in bytes.
	MaxBundle = 16 << 20
)

// Bundle is a proof in one file: the token, the key that signed it, and the
// timeline up to the head. The bundle cannot show whether its key can be trusted:
// the reader must know that from another source.
type Bundle struct {
	Token   string
	Key     jws.Key
	Entries []Entry
}

// Bundle makes the bundle of a token. One of these keys must verify the token, and
// the entries must be all those up to its head; otherwise the error is a [*Refusal].
// Any other error means that an entry cannot be written, or that the bundle would be
// larger than [MaxBundle].
func (k *Keys) Bundle(token string, entries []Entry) ([]byte, error) {
	message, g, err := parse(token)
	if err != nil {
		return nil, err
	}
	key, known := k.current().find(message.KeyID)
	if !known {
		return nil, refuse(UnknownKey, "")
	}
	if err := message.Verify(key); err != nil {
		return nil, refuse(BadSignature, "")
	}
	if err := VerifyChain(entries, g.Head); err != nil {
		return nil, err
	}
	list := make([]any, len(entries))
	for i, e := range entries {
		if list[i], err = writeEntry(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	text := canonical.Encode(canonical.Object{
		"format": BundleFormat, "token": token, "jwks": canonical.Object{"keys": []any{writeKey(key)}},
		"effect": writeEffect(entries[0]), "entries": list,
	})
	if text = append(text, '\n'); len(text) > MaxBundle {
		return nil, errors.New("the bundle would be larger than 16 MiB")
	}
	return text, nil
}

func writeKey(k jws.Key) canonical.Object {
	return canonical.Object{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": jws.Algorithm, "kid": k.ID(),
		"x": base64.RawURLEncoding.EncodeToString(k.Public()),
	}
}

// writeEffect writes the values that all entries of a chain share.
func writeEffect(e Entry) canonical.Object {
	o := canonical.Object{"id": e.EffectID, "provider": e.Provider, "type": e.Effect}
	setText(o, "event_type", e.EventType)
	return o
}

func setText(o canonical.Object, name, text string) {
	if text != "" {
		o[name] = text
	}
}

func writeEntry(e Entry) (canonical.Object, error) {
	micros := e.At.UnixMicro()
	if micros < 0 || micros > canonical.MaxInteger {
		return nil, errors.New("the time is out of range")
	}
	fields := make([]any, len(e.Fields))
	for i, f := range e.Fields {
		o := canonical.Object{"name": f.Name}
		if f.Disclosed {
			value, err := writeValue(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			o["value"], o["salt"] = value, base64.RawURLEncoding.EncodeToString(f.Salt[:])
		} else {
			o["commitment"] = base64.RawURLEncoding.EncodeToString(f.Commitment[:])
		}
		fields[i] = o
	}
	o := canonical.Object{
		"seq":    int64(e.Seq),
		"kind":   e.Kind,
		"at":     micros,
		"fields": fields,
		"hash":   base64.RawURLEncoding.EncodeToString(e.Hash[:]),
	}
	setText(o, "state", e.State)
	setText(o, "cause", e.Cause)
	return o, nil
}

// listField is the one hidden field that holds a list of texts.
const listField = "objects"

// writeValue writes a value as text, or as a list of texts.
func writeValue(f Field) (any, error) {
	if f.Name != listField {
		if !utf8.Valid(f.Value) {
			return nil, errors.New("not UTF-8")
		}
		return string(f.Value), nil
	}
	list, rest := []any{}, f.Value
	for len(rest) > 0 {
		if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return nil, errors.New("not a list of texts")
		}
		end := 4 + int(binary.BigEndian.Uint32(rest))
		if !utf8.Valid(rest[4:end]) {
			return nil, errors.New("not UTF-8")
		}
		list, rest = append(list, string(rest[4:end])), rest[end:]
	}
	return list, nil
}
