package ingest

import (
	"encoding/json"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// maxDepth bounds how deep a body may nest, the outermost object included.
const maxDepth = 32

// object is the members of a body, each as it was written.
type object map[string]json.RawMessage

// errTooManyFields means that the object has more members than the limit.
var errTooManyFields = errors.New("too many fields")

// malformed says why a body is not an object that every parser reads alike. It completes the sentence that
// begins with "the body".
type malformed string

func (m malformed) Error() string { return "the body " + string(m) }

// decode reads one JSON object strictly, as [input.Body] does. Errors:
// errTooManyFields and malformed.
func decode(body []byte, maxFields int) (object, error) {
	_, reason := input.Body{Depth: maxDepth, Members: maxFields}.Check(body)
	switch reason {
	case "":
	case input.TooMany:
		return nil, errTooManyFields
	default:
		return nil, malformed(reason)
	}
	var members object
	if json.Unmarshal(body, &members) != nil || members == nil { // null is not an object
		return nil, malformed("is not a JSON object")
	}
	return members, nil
}
