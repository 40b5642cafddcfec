package guardedhttp

import (
	"io"
	"strings"
	"unicode/utf8"
)

// maxText is how much of an answer is stored, in bytes.
const maxText = 4 << 10

// Text reads the beginning of an answer's body, at most 4 KiB, as text that can be stored and
// shown: valid UTF-8 without NUL. After a read error it returns what was read before. It does not
// close the body.
func Text(body io.Reader) string {
	// The error does not matter: what was read is enough.
	read, _ := io.ReadAll(io.LimitReader(body, maxText))
	text := strings.ReplaceAll(strings.ToValidUTF8(string(read), "\uFFFD"), "\x00", "")
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
