package proofs

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// ParseBundle reads a bundle, which must be canonical. It checks only the form; the
// error is a [*Refusal]. [Verifier.VerifyBundle] checks the proof.
func ParseBundle(text []byte) (Bundle, error) {
	b, err := parseBundle(text)
	if err != nil {
		return Bundle{}, refuse(Malformed, err.Error())
	}
	return b, nil
}

// IsBundle reports whether a text looks like a bundle: it begins with a brace.
func IsBundle(text []byte) bool { return len(text) > 0 && text[0] == '{' }

func parseBundle(text []byte) (Bundle, error) {
	if len(text) > MaxBundle {
		return Bundle{}, errors.New("the bundle is larger than 16 MiB")
	}
	if len(text) == 0 || text[len(text)-1] != '\n' {
		return Bundle{}, errors.New("the bundle does not end with a line end")
	}
	o, err := canonical.Decode(text[:len(text)-1])
	if err != nil {
		return Bundle{}, fmt.Errorf("the bundle is not canonical JSON: %w", err)
	}
	var c claimReader
	if format := c.text(o, "format"); format != BundleFormat || len(o) != 5 {
		return Bundle{}, errors.New("not a bundle of the format " + BundleFormat)
	}
	b := Bundle{Token: c.text(o, "token")}
	if b.Key, err = readKey(o); err != nil {
		return Bundle{}, err
	}
	list, isList := o["entries"].([]any)
	effect, isObject := o["effect"].(canonical.Object)
	if !isList || !isObject {
		return Bundle{}, errors.New("entries or effect are missing or of another type")
	}
	shared := Entry{
		EffectID:  c.full(effect, "id"),
		Provider:  c.full(effect, "provider"),
		Effect:    c.full(effect, "type"),
		EventType: c.optional(effect, "event_type"),
	}
	if len(effect) != 3+present(shared.EventType) || c.err != nil {
		return Bundle{}, errors.New("effect is not exactly id, provider, type and perhaps event_type")
	}
	for i, item := range list {
		e, err := readEntry(item, shared)
		if err != nil {
			return Bundle{}, fmt.Errorf("entry %d: %w", i+1, err)
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

// optional reads a text that may be absent but not empty.
func (c *claimReader) optional(o canonical.Object, name string) string {
	if _, there := o[name]; !there {
		return ""
	}
	return c.full(o, name)
}

// full reads a text that must not be empty.
func (c *claimReader) full(o canonical.Object, name string) string {
	s := c.text(o, name)
	if s == "" {
		c.fail(name)
	}
	return s
}

func present(s string) int {
	if s == "" {
		return 0
	}
	return 1
}

// readKey reads the one key of a bundle, which must be spelled as writeKey spells it.
func readKey(o canonical.Object) (jws.Key, error) {
	set, _ := o["jwks"].(canonical.Object)
	keys, _ := set["keys"].([]any)
	if len(set) != 1 || len(keys) != 1 {
		return jws.Key{}, errors.New("jwks is not one key")
	}
	written, _ := keys[0].(canonical.Object)
	key, err := jws.ParseKey(canonical.Encode(written))
	if err != nil || key.Signs() || string(canonical.Encode(writeKey(key))) != string(canonical.Encode(written)) {
		return jws.Key{}, errors.New("the key of jwks is not an Ed25519 key with its thumbprint")
	}
	return key, nil
}

func readEntry(item any, shared Entry) (Entry, error) {
	o, _ := item.(canonical.Object)
	var c claimReader
	e := shared
	e.Kind, e.State, e.Cause, e.Hash = c.full(o, "kind"), c.optional(o, "state"), c.optional(o, "cause"), c.hash(o, "hash")
	e.At = time.UnixMicro(c.number(o, "at")).UTC()
	seq := c.number(o, "seq")
	list, isList := o["fields"].([]any)
	switch {
	case c.err != nil:
		return Entry{}, c.err
	case !isList || len(o) != 5+present(e.State)+present(e.Cause):
		return Entry{}, errors.New("not exactly seq, kind, at, fields, hash and perhaps state and cause")
	case seq < 1 || seq > math.MaxInt32:
		return Entry{}, errors.New("seq is out of range")
	}
	e.Seq = int(seq)
	for _, item := range list {
		f, err := readField(item)
		if err != nil {
			return Entry{}, err
		}
		e.Fields = append(e.Fields, f)
	}
	return e, nil
}

func readField(item any) (Field, error) {
	o, _ := item.(canonical.Object)
	var c claimReader
	f := Field{Name: c.full(o, "name")}
	if _, hidden := o["commitment"]; hidden {
		f.Commitment = c.hash(o, "commitment")
		if len(o) != 2 {
			c.fail("commitment")
		}
		return f, c.err
	}
	f.Disclosed, f.Salt = true, c.hash(o, "salt")
	if f.Name == listField {
		list, isList := o["value"].([]any)
		if !isList {
			c.fail("value")
		}
		for _, item := range list {
			text, isText := item.(string)
			if !isText {
				c.fail("value")
			}
			f.Value = appendPrefixed(f.Value, []byte(text))
		}
	} else {
		f.Value = []byte(c.text(o, "value"))
	}
	if len(o) != 3 {
		c.fail("salt or value")
	}
	return f, c.err
}
