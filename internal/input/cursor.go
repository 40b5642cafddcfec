package input

import (
	"strconv"
	"strings"
)

// Cursor is a position in the feed of changes. Everything before it has been delivered, and nothing
// can appear there any more.
type Cursor struct {
	// Xid is a transaction id of Postgres (xid8).
	Xid uint64
	Seq int64
}

// String returns the cursor's text form: XID-SEQ.
func (c Cursor) String() string {
	return strconv.FormatUint(c.Xid, 10) + "-" + strconv.FormatInt(c.Seq, 10)
}

// ParseCursor parses the form of [Cursor.String] only; "" is the beginning of the feed.
func ParseCursor(s string) (c Cursor, reason string) {
	if s == "" {
		return Cursor{}, ""
	}
	xid, seq, _ := strings.Cut(s, "-")
	x, err := strconv.ParseUint(xid, 10, 64)
	n, err2 := strconv.ParseInt(seq, 10, 64)
	c = Cursor{x, n}
	if err != nil || err2 != nil || n < 0 || c.String() != s { // Postgres would read 010 as octal
		return Cursor{}, "is not the cursor of a change"
	}
	return c, ""
}
