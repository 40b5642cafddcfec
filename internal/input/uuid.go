package input

import "strings"

// NotAnID is the reason for an id that we cannot have issued.
const NotAnID = "is not a SendPromptly id (a UUID)"

const (
	// zeroID is never the id of an effect or an incident.
	zeroID = "00000000-0000-0000-0000-000000000000"
	// LastID sorts after every id: the first page of a list begins there.
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

// CanonicalUUID returns an id in lower case, or "" if it is not valid.
func CanonicalUUID(s string) string {
	if UUID(s) != "" {
		return ""
	}
	return strings.ToLower(s)
}
