package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// maxDetails bounds how many fields one answer names.
const maxDetails = 10

// form reads the members of a body and collects their errors, so that one answer names every field. null and
// an empty text count as absent: many clients send unknown values like that.
type form struct {
	members object
	read    map[string]bool
	wrong   map[string][]string
}

func newForm(members object) *form {
	return &form{members: members, read: map[string]bool{}, wrong: map[string][]string{}}
}

// reject records what is wrong with a field; only the first reason per field counts.
func (f *form) reject(field, reason string) {
	if _, known := f.wrong[field]; !known && len(f.wrong) < maxDetails {
		f.wrong[field] = []string{reason}
	}
}

// problem is nil if nothing is wrong. A field that was not read is unknown: a field that is misspelt, in
// another case or not part of this API must not be ignored silently.
func (f *form) problem() error {
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		if f.read[name] {
			continue
		}
		if printable(name) {
			f.reject(name, "is not a field of this endpoint")
		} else {
			f.reject("body", "has a field that this endpoint does not know")
		}
	}
	if len(f.wrong) == 0 {
		return nil
	}
	return &problem{code: "validation_error", message: "The body is not valid: see details.", details: f.wrong}
}

// printable says whether a name may be repeated in the answer.
func printable(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// value returns a member as it was written, nil for null.
func (f *form) value(field string) json.RawMessage {
	f.read[field] = true
	if value := f.members[field]; string(value) != "null" {
		return value
	}
	return nil
}

// text reads a string; "" if it is absent or wrong.
func (f *form) text(field string) string {
	value := f.value(field)
	if value == nil {
		return ""
	}
	var text string
	if value[0] != '"' || json.Unmarshal(value, &text) != nil {
		f.reject(field, "must be a string")
		return ""
	}
	return text
}

// short reads a text that is stored unchanged, of at most limit characters.
func (f *form) short(field string, limit int) string {
	text := f.text(field)
	if reason := input.Text(text, limit); reason != "" {
		f.reject(field, reason)
		return ""
	}
	return text
}

// name reads a text that is part of a key: bounded, without spaces.
func (f *form) name(field string, limit int) string {
	text := f.text(field)
	if text == "" {
		return ""
	}
	if reason := input.Name(text, limit); reason != "" {
		f.reject(field, reason)
		return ""
	}
	return text
}

// names reads a list of at most that many names.
func (f *form) names(field string, most, limit int) []string {
	value := f.value(field)
	if value == nil {
		return nil
	}
	var names []string
	if json.Unmarshal(value, &names) != nil {
		f.reject(field, "must be a list of strings")
		return nil
	}
	if len(names) > most {
		f.reject(field, "has more than "+strconv.Itoa(most)+" ids")
		return nil
	}
	for _, name := range names {
		if reason := input.Name(name, limit); reason != "" {
			f.reject(field, reason)
			return nil
		}
	}
	return names
}

// required rejects a field that is empty and not known to be wrong.
func (f *form) required(field, value string) {
	if strings.TrimSpace(value) == "" {
		f.reject(field, "is required")
	}
}

// oneOf rejects a value that is given and not in the list.
func (f *form) oneOf(field, value string, list []string) {
	if value != "" && !slices.Contains(list, value) {
		f.reject(field, "must be one of "+strings.Join(list, ", "))
	}
}

// integer reads a whole number, which must be written as one: 30, not 30.0 or 3e1.
func (f *form) integer(field string) (n int64, given bool) {
	value := f.value(field)
	if value == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		f.reject(field, "must be a whole number without fraction or exponent")
		return 0, false
	}
	return n, true
}

// flag reads true or false.
func (f *form) flag(field string) (set, given bool) {
	switch value := f.value(field); string(value) {
	case "":
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		f.reject(field, "must be true or false")
	}
	return false, false
}

// nested reads an object as it was written.
func (f *form) nested(field string) json.RawMessage {
	value := f.value(field)
	if value != nil && value[0] != '{' {
		f.reject(field, "must be an object")
		return nil
	}
	return value
}

// moment reads a time of ISO 8601 with its offset.
func (f *form) moment(field string) time.Time {
	text := f.text(field)
	if text == "" {
		return time.Time{}
	}
	t, reason := input.ParseTime(text)
	if reason != "" {
		f.reject(field, reason)
		return time.Time{}
	}
	return t
}
