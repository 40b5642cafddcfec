package proofs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
)

// testSalt is the salt of the tests' effect.
var testSalt = bytes.Repeat([]byte{0xab}, 32)

// field is a hidden field as an effect's salt gives it.
func field(seq int, name, value string, disclosed bool) Field {
	salt := sha256.Sum256(slices.Concat(testSalt, binary.BigEndian.AppendUint64(nil, uint64(seq)), []byte(name)))
	f := Field{Name: name, Disclosed: true, Salt: salt, Value: []byte(value)}
	if !disclosed {
		return Field{Name: name, Commitment: f.commitment()}
	}
	return f
}

func list(texts ...string) string {
	var out []byte
	for _, text := range texts {
		out = appendPrefixed(out, []byte(text))
	}
	return string(out)
}

// testEntries is the timeline of an effect that failed and was repaired.
func testEntries() []Entry {
	received := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	entries := []Entry{
		{Kind: "receipt", State: "awaiting", Fields: []Field{
			field(
				1,
				"event_id",
				"evt_1",
				true,
			),
			field(1, "deadline", strconv.FormatInt(received.Add(30*time.Minute).UnixMicro(), 10), true),
			field(1, "customer", "cus_ü", false),
			field(1, "objects", list("in_1", "order\n\"7\" 世界", ""), true),
		}},
		{
			Kind:   "failure",
			State:  "failed",
			Fields: []Field{field(2, "error_code", "db", false), field(2, "error_message", "no such table", false)},
		},
		{Kind: "opened", Cause: "failed"},
		{
			Kind:  "reprocess",
			State: "reprocessing",
			Fields: []Field{
				field(4, "actor", "ada@example.com", false),
				field(4, "replay_id", "01a20a17-1111-7abc-8def-0123456789ab", true),
			},
		},
		{Kind: "success", State: "applied", Fields: []Field{field(5, "note", "\x01\u2028é<>&\\", true)}},
	}
	previous := [32]byte{}
	for i := range entries {
		e := &entries[i]
		e.Seq, e.At = i+1, received.Add(time.Duration(i)*time.Minute)
		e.Provider, e.EventType, e.Effect, e.EffectID = "stripe", "invoice.paid", "credit_grant", "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
		e.Hash = e.HashAfter(previous)
		previous = e.Hash
	}
	return entries
}

// headOf is the head of a chain.
func headOf(entries []Entry) Head {
	last := entries[len(entries)-1]
	return Head{Seq: last.Seq, Hash: last.Hash}
}

// testBundle is signed by key 1.
func testBundle(t testing.TB) []byte {
	t.Helper()
	g := testGrant()
	g.Head = headOf(testEntries())
	keys := testKeys(t, testKey(t, 1))
	token, err := keys.Signer().Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.Bundle(token, testEntries())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The vector of docs/proof-format.md.
func TestTheDocumentedEntryHasTheDocumentedHash(t *testing.T) {
	t.Parallel()
	e := testEntries()[0]
	e.Fields = []Field{field(1, "event_id", "evt_1", true), field(1, "customer", "cus_ü", true)}
	hash, first, second := e.HashAfter([32]byte{}), e.Fields[0].commitment(), e.Fields[1].commitment()
	for _, pair := range [][2]string{
		{hex.EncodeToString(first[:]), "e581c4d3845926dc2a865af4824747aa97466a60aae5e5c28b71a8e54a872740"},
		{hex.EncodeToString(second[:]), "f705386ff6db7186cb127e298a8b2674a89f54c5d5bcaf136b83a0522245d1c8"},
		{hex.EncodeToString(hash[:]), "6bcffd12ced73ac9bffdf0e0b908f397de156d77af8194e65c00025c51decd9c"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("got %s, want %s", pair[0], pair[1])
		}
	}
}

func TestABundleCarriesTheTimelineAlong(t *testing.T) {
	t.Parallel()
	text := testBundle(t)
	g, b, err := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer).For(testIncident).VerifyBundle(text, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if g.Head != headOf(testEntries()) {
		t.Errorf("%+v", g)
	}
	if diff := cmp.Diff(testEntries(), b.Entries, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for _, hidden := range []string{"cus_", "ada@example.com", "no such table", base64.RawURLEncoding.EncodeToString(testSalt)} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("%q is in the bundle", hidden)
		}
	}
}

func TestTrustNeverComesFromTheBundle(t *testing.T) {
	t.Parallel()
	text := testBundle(t)
	for name, keys := range map[string]*Keys{"nil": nil, "no key": testKeys(t), "another key": testKeys(t, testKey(t, 2))} {
		_, _, err := NewVerifier(keys, testIssuer).VerifyBundle(text, testNow)
		if requireReasons(t, err, KeyNotTrusted); t.Failed() {
			t.Errorf("with %s", name)
		}
	}
	_, _, err := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer).VerifyBundle(signedBy2(t), testNow)
	requireReasons(t, err, KeyNotTrusted)
	_, _, err = NewVerifier(nil, "https://other.example.com").For(testID).VerifyBundle(text, testNow.AddDate(1, 0, 0))
	requireReasons(t, err, KeyNotTrusted, WrongIssuer, WrongIncident, Expired)
}

func TestABundleThatCouldNotBeVerifiedIsNotMade(t *testing.T) {
	t.Parallel()
	g := testGrant()
	g.Head = headOf(testEntries())
	keys := testKeys(t, testKey(t, 1))
	token := sign(t, testKey(t, 1), g)
	altered := testEntries()
	altered[1].Kind = "note"
	binary := testEntries()[:1]
	binary[0].Fields = []Field{field(1, "note", "\xff", true)}
	binary[0].Hash = binary[0].HashAfter([32]byte{})
	early := testEntries()[:1]
	early[0].At = time.Unix(-1, 0)
	early[0].Hash = early[0].HashAfter([32]byte{})
	for name, c := range map[string]struct {
		token   string
		entries []Entry
	}{
		"no token": {"", testEntries()}, "another key's": {sign(t, testKey(t, 2), g), testEntries()},
		"another head's": {sign(t, testKey(t, 1), testGrant()), testEntries()},
		"no entries":     {token, nil}, "too few": {token, testEntries()[:4]}, "an altered one": {token, altered},
		"the wrong order": {token, slices.Concat(testEntries()[1:], testEntries()[:1])},
		"not UTF-8":       {sign(t, testKey(t, 1), withHead(g, binary)), binary},
		"before 1970":     {sign(t, testKey(t, 1), withHead(g, early)), early},
	} {
		if text, err := keys.Bundle(c.token, c.entries); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func withHead(g Grant, entries []Entry) Grant {
	g.Head = headOf(entries)
	return g
}

func TestAnEntryThatWasChangedRemovedOrMovedIsFound(t *testing.T) {
	t.Parallel()
	head := headOf(testEntries())
	rehash := func(entries []Entry) []Entry {
		previous := [32]byte{}
		for i := range entries {
			entries[i].Hash = entries[i].HashAfter(previous)
			previous = entries[i].Hash
		}
		return entries
	}
	renumber := func(entries []Entry) []Entry {
		for i := range entries {
			entries[i].Seq = i + 1
		}
		return rehash(entries)
	}
	e := testEntries
	changed := func(change func(*Entry)) []Entry {
		entries := e()
		change(&entries[1])
		return entries
	}
	for name, c := range map[string]struct {
		entries []Entry
		want    Reason
	}{
		"nothing left":          {nil, EntriesMissing},
		"the last gone":         {e()[:4], EntriesMissing},
		"the first gone":        {e()[1:], EntriesMissing},
		"one gone":              {slices.Delete(e(), 2, 3), EntriesMissing},
		"one gone, renumbered":  {renumber(slices.Delete(e(), 2, 3)), EntriesMissing},
		"two exchanged":         {slices.Concat(e()[:2], []Entry{e()[3], e()[2], e()[4]}), EntriesMissing},
		"exchanged, renumbered": {renumber(slices.Concat(e()[:2], []Entry{e()[3], e()[2], e()[4]})), HeadMismatch},
		"one twice":             {slices.Concat(e(), e()[4:]), EntriesMissing},
		"one more":              {renumber(slices.Concat(e(), e()[4:])), HeadMismatch},
		"a kind":                {changed(func(e *Entry) { e.Kind = "note" }), EntryAltered},
		"a time":                {changed(func(e *Entry) { e.At = e.At.Add(time.Microsecond) }), EntryAltered},
		"a state":               {changed(func(e *Entry) { e.State = "" }), EntryAltered},
		"a cause":               {changed(func(e *Entry) { e.Cause = "missing" }), EntryAltered},
		"an effect":             {changed(func(e *Entry) { e.EffectID = testID }), EntryAltered},
		"a field gone":          {changed(func(e *Entry) { e.Fields = e.Fields[1:] }), EntryAltered},
		"a field renamed":       {changed(func(e *Entry) { e.Fields[0].Name = "note" }), EntryAltered},
		"fields exchanged":      {changed(func(e *Entry) { slices.Reverse(e.Fields) }), EntryAltered},
		"a commitment":          {changed(func(e *Entry) { e.Fields[0].Commitment[31] ^= 1 }), EntryAltered},
		"a hash":                {changed(func(e *Entry) { e.Hash[0] ^= 1 }), EntryAltered},
		"a kind, hashed anew":   {rehash(changed(func(e *Entry) { e.Kind = "note" })), HeadMismatch},
		"a value":               {func() []Entry { e := e(); e[0].Fields[0].Value = []byte("evt_2"); return e }(), EntryAltered},
		"a salt":                {func() []Entry { e := e(); e[0].Fields[0].Salt[0] ^= 1; return e }(), EntryAltered},
		"all of another effect": {
			rehash(func() []Entry { e := e(); e[0].EffectID, e[1].EffectID = testID, testID; return e[:2] }()),
			EntriesMissing,
		},
		"one of another effect":  {rehash(changed(func(e *Entry) { e.EffectID = testID })), EntryAltered},
		"another chain's hash":   {rehash(changed(func(e *Entry) { e.At = e.At.Add(time.Hour) })), HeadMismatch},
		"a field between fields": {changed(func(e *Entry) { e.Fields = append(e.Fields, e.Fields[0]) }), EntryAltered},
	} {
		t.Run(name, func(t *testing.T) {
			requireReasons(t, VerifyChain(c.entries, head), c.want)
		})
	}
	if err := VerifyChain(e(), head); err != nil {
		t.Error(err)
	}
}

// What a published key signed is still not a bundle in another spelling.
func TestOtherSpellingsOfABundleAreRefused(t *testing.T) {
	t.Parallel()
	good := string(testBundle(t))
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	replace := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in %s", old, good)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	private, err := testKey(t, 1).PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	public, err := canonical.Decode([]byte(good[strings.Index(good, `{"alg"`):strings.Index(good, `]},"token"`)]))
	if err != nil {
		t.Fatal(err)
	}
	publicText := string(canonical.Encode(public))
	for name, text := range map[string]string{
		"nothing": "", "a line end": "\n", "no line end": strings.TrimSuffix(good, "\n"),
		"a space for the line end": strings.TrimSuffix(good, "\n") + " ", "two line ends": good + "\n",
		"CR LF": strings.TrimSuffix(good, "\n") + "\r\n", "BOM": "\ufeff" + good,
		"two bundles": good + good, "spaces": replace(`,"token"`, `, "token"`), "another format": replace("bundle.v1", "bundle.v2"),
		"no format":       replace(`"format":"sendpromptly.bundle.v1",`, ""),
		"one member more": replace(`"format"`, `"extra":1,"format"`), "token twice": replace(`"token":`, `"token":"","token":`),
		"a list": "[" + good + "]\n", "no token": replace(`"token":"e`, `"tokem":"e`),
		"token a list":  replace(`"token":"`+b64(good), `"token":[],"x":"`+b64(good)),
		"empty token":   `{"effect":` + between(good, `"effect":`, `,"token"`) + `,"token":""}` + "\n",
		"no key":        replace(publicText, ""),
		"two keys":      replace(publicText, publicText+","+publicText),
		"a private key": replace(publicText, string(private)),
		"another kid":   replace(testKey(t, 1).ID(), testKey(t, 2).ID()), "no use": replace(`,"use":"sig"`, ""),
		"a jku": replace(`"kty":"OKP",`, `"jku":"https://example.com","kty":"OKP",`), "seq as text": replace(`"seq":1`, `"seq":"1"`),
		"seq 0": replace(`"seq":1`, `"seq":0`), "seq 2^31": replace(`"seq":1`, `"seq":2147483648`),
		"at a float":               replace(`{"at":1767323045678901`, `{"at":1767323045678901.0`),
		"at as text":               replace(`{"at":1767323045678901`, `{"at":"1767323045678901"`),
		"an empty state":           replace(`,"state":"awaiting"`, `,"state":""`),
		"a state null":             replace(`,"state":"awaiting"`, `,"state":null`),
		"a field more in an entry": replace(`,"seq":1`, `,"seq":1,"sex":1`),
		"a field with both":        replace(`{"commitment":`, `{"commitment":"x","commitment":`),
		"a commitment and a value": replace(`,"name":"customer"`, `,"name":"customer","value":"x"`),
		"a field without a name":   replace(`"name":"event_id",`, ""), "a value as a number": replace(`"value":"evt_1"`, `"value":1`),
		"a value as a list":  replace(`"value":"evt_1"`, `"value":["evt_1"]`),
		"objects as text":    replace(`"value":["in_1"`, `"value":"in_1","x":["in_1"`),
		"objects of numbers": replace(`"value":["in_1"`, `"value":[1`),
		"a value with more":  replace(`,"value":"evt_1"`, `,"value":"evt_1","z":1`), "a short salt": replace(`"salt":"`, `"salt":"AA`),
		"no effect": replace(`"effect":{`, `"effecs":{`), "effect a list": replace(`"effect":{`, `"effect":[{`),
		"entries an object":   replace(`"entries":[`, `"entries":{`),
		"an empty event type": replace(`"event_type":"invoice.paid"`, `"event_type":""`),
		"no provider":         replace(`,"provider":"stripe"`, ""),
		"more in effect":      replace(`"provider":"stripe"`, `"provider":"stripe","pump":1`),
		"no fields":           replace(`"fields":[],`, ""),
		"deep":                strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) + "\n",
		"not UTF-8":           replace("世", "\xff"), "a lone surrogate": replace("世", `\ud800`), "an escape": replace("世", `\u4e16`),
		"larger than allowed": good[:len(good)-1] + strings.Repeat(" ", MaxBundle) + "\n",
	} {
		_, _, err := v.VerifyBundle([]byte(text), testNow)
		if !slices.Equal(Reasons(err), []Reason{Malformed}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseBundle([]byte("{")); !errors.As(err, new(*Refusal)) {
		t.Errorf("%v", err)
	}
}

// Somebody signs with a key of their own and names one that is trusted.
func TestABundleWhoseTokenNamesAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	foreign, g := string(signedBy2(t)), withHead(testGrant(), testEntries())
	own := ed25519.NewKeyFromSeed(slices.Repeat([]byte{2}, ed25519.SeedSize))
	input := base64.RawURLEncoding.EncodeToString([]byte(goodHeader(t))) + "." + base64.RawURLEncoding.EncodeToString(g.Claims())
	token := input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(own, []byte(input)))
	_, _, err := NewVerifier(
		testKeys(t, testKey(t, 1)),
		testIssuer,
	).VerifyBundle([]byte(strings.Replace(foreign, b64(foreign), token, 1)), testNow)
	requireReasons(t, err, Malformed)
}

// b64 is the token of a bundle.
func b64(bundle string) string { return between(bundle, `"token":"`, `"`) }

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// signedBy2 is a bundle that somebody made with a key of their own.
func signedBy2(t *testing.T) []byte {
	t.Helper()
	g := withHead(testGrant(), testEntries())
	keys := testKeys(t, testKey(t, 2))
	text, err := keys.Bundle(sign(t, testKey(t, 2), g), testEntries())
	if err != nil {
		t.Fatal(err)
	}
	return text
}
