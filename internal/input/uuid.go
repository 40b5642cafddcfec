package input

import "strings"

// NotAnID is what is wrong with an id that we did not give out.
const NotAnID = "is not an id of ours, a UUID"

const (
	// zeroID is no effect's and no incident's.
	zeroID = "00000000-0000-0000-0000-000000000000"
	// LastID is after every id of ours: where the first page of a list begins.
	LastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// UUID checks an id of ours: a UUID with dashes, in any case, not all zero.
func UUID(s string) string {
	if len(s) != 36 || s == zeroID {
		return NotAnID
	}
	for i := range len(s) {
		c, dash := s[i], i == 8 || i == 13 || i == 18 || i == 23
		hexadecimal := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hexadecimal {
			return NotAnID
		}
	}
	return ""
}

// CanonicalUUID is an id of ours as we write it, in lower case, or "".
func CanonicalUUID(s string) string {
	if UUID(s) != "" {
		return ""
	}
	return strings.ToLower(s)
}
