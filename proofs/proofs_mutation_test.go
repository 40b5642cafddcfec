package proofs

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutations is how many random changes each of the tests below tries.
const mutations = 3000

// likely are bytes that mean something in a token or a bundle.
const likely = "0123456789abcdefABCDEF-_.{}[]\":, \n\\"

// mutate changes a text at random: bytes are altered, flipped, removed, doubled,
// inserted, exchanged; pieces are moved.
func mutate(r *rand.Rand, text string) string {
	b := []byte(text)
	for range 1 + r.IntN(3) {
		if len(b) < 4 {
			break
		}
		i, j := r.IntN(len(b)), r.IntN(len(b))
		switch r.IntN(8) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.IntN(256))
		case 2:
			b = slices.Delete(b, i, i+1)
		case 3:
			b = slices.Insert(b, i, byte(r.IntN(256)))
		case 4:
			b = slices.Insert(b, i, b[j])
		case 5:
			b[i], b[j] = b[j], b[i]
		case 6:
			b[i] = likely[r.IntN(len(likely))]
		case 7:
			from, to := min(i, j), max(i, j)
			piece := slices.Clone(b[from:to])
			b = slices.Delete(b, from, to)
			b = slices.Insert(b, r.IntN(len(b)+1), piece...)
		}
	}
	return string(b)
}

// eachMutation calls check with changed texts and says what came through. The
// seed of a run is logged, so that a run can be repeated.
func eachMutation(t *testing.T, good string, accepted func(string) bool) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	tried := 0
	for tried < mutations {
		changed := mutate(r, good)
		if changed == good {
			continue
		}
		tried++
		if accepted(changed) {
			t.Errorf("came through: %q", changed)
		}
	}
}

func TestEveryMutationOfATokenIsCaught(t *testing.T) {
	t.Parallel()
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	eachMutation(t, sign(t, testKey(t, 1), testGrant()), func(token string) bool {
		_, err := v.Verify(token, testNow)
		return err == nil
	})
}

// The claims are changed before they are signed: whatever is still a proof must
// be one of our own spelling.
func TestEveryMutationOfSignedClaimsIsOursOrCaught(t *testing.T) {
	t.Parallel()
	eachMutation(t, goodClaims(), func(payload string) bool {
		_, g, err := parse(forge(goodHeader(t), payload))
		return err == nil && string(g.Claims()) != payload
	})
}

func TestEveryMutationOfABundleIsCaught(t *testing.T) {
	t.Parallel()
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	eachMutation(t, string(testBundle(t)), func(text string) bool {
		_, _, err := v.VerifyBundle([]byte(text), testNow)
		return err == nil
	})
}

// Chains are changed as values, hashed anew or not.
func TestEveryMutationOfAChainIsCaught(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	head := headOf(testEntries())
	for range mutations {
		entries := testEntries()
		what := mutateChain(r, &entries)
		if r.IntN(2) == 0 {
			previous := [32]byte{}
			for i := range entries {
				entries[i].Seq = i + 1
				entries[i].Hash = entries[i].HashAfter(previous)
				previous = entries[i].Hash
			}
			what += ", hashed anew"
		}
		if VerifyChain(entries, head) == nil {
			t.Errorf("came through: %s", what)
		}
	}
}

// mutateChain makes one change that matters and says which.
func mutateChain(r *rand.Rand, entries *[]Entry) string {
	list := *entries
	i := r.IntN(len(list))
	e := &list[i]
	other := (i + 1 + r.IntN(len(list)-1)) % len(list)
	texts := []*string{&e.Kind, &e.State, &e.Cause, &e.Provider, &e.EventType, &e.Effect, &e.EffectID}
	for n := range e.Fields {
		texts = append(texts, &e.Fields[n].Name)
	}
	switch r.IntN(7) {
	case 0:
		*entries = slices.Delete(list, i, i+1)
		return "an entry removed"
	case 1:
		*entries = slices.Insert(list, r.IntN(len(list)), *e)
		return "an entry doubled"
	case 2:
		list[i], list[other] = list[other], list[i]
		return "entries exchanged"
	case 3:
		e.At = e.At.Add(time.Duration(1+r.Int64N(1e12)) * time.Microsecond)
		return "a time moved"
	case 4:
		text := texts[r.IntN(len(texts))]
		*text += string(rune('a' + r.IntN(26)))
		return "a text altered"
	case 5:
		if len(e.Fields) == 0 {
			e.Fields = []Field{{Name: "note"}}
			return "a field added"
		}
		f := &e.Fields[r.IntN(len(e.Fields))]
		f.Commitment[r.IntN(32)] ^= 1 << r.IntN(8)
		if f.Disclosed {
			f.Value = append(f.Value, byte(r.IntN(256)))
		}
		return "a field altered"
	default:
		if len(e.Fields) == 0 {
			*entries = list[:i]
			return "cut"
		}
		e.Fields = slices.Delete(e.Fields, 0, 1)
		return "a field removed"
	}
}

// FuzzVerify looks for a token that is taken and was never signed.
func FuzzVerify(f *testing.F) {
	good := sign(f, testKey(f, 1), testGrant())
	v := NewVerifier(testKeys(f, testKey(f, 1)), testIssuer)
	f.Add(good)
	for _, payload := range badClaims(f) {
		f.Add(forge(goodHeader(f), payload))
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(token, testNow); err == nil && token != good {
			t.Errorf("taken: %q", token)
		}
	})
}

// FuzzClaims looks for claims that are taken and are not spelled as ours.
func FuzzClaims(f *testing.F) {
	f.Add(goodClaims())
	for _, payload := range badClaims(f) {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		g, err := parseClaims([]byte(payload))
		if err == nil &&
			(string(g.Claims()) != payload || g.ExpiresAt.Sub(g.IssuedAt) > MaxLifetime ||
				!strings.Contains(payload, `"aud":"`+Audience+`"`)) {
			t.Errorf("taken: %q", payload)
		}
	})
}

// FuzzBundle looks for a bundle that is taken and is not spelled as ours.
// Run it with -fuzzminimizetime=10x: else all its time goes into shortening what
// it found.
func FuzzBundle(f *testing.F) {
	good := string(testBundle(f))
	v := NewVerifier(testKeys(f, testKey(f, 1)), testIssuer)
	f.Add(good)
	f.Add("{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := v.VerifyBundle([]byte(text), testNow); err == nil && text != good {
			t.Errorf("taken: %q", text)
		}
	})
}
