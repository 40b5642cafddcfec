package wire

import (
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// Entry is one line of an effect's history.
type Entry struct {
	ID           int64     `json:"id" doc:"Orders the entries of one effect; the receipt is 0."`
	Seq          int       `json:"seq,omitempty" doc:"Its number in the sealed chain; absent until it is sealed."`
	Hash         string    `json:"hash,omitempty" doc:"The chain's head at this entry, in base64url without padding, as tokens have it."`
	Kind         string    `json:"kind"`
	At           time.Time `json:"at" doc:"When it happened, which may be before it was recorded."`
	State        string    `json:"state,omitempty" doc:"The state that the effect entered."`
	Cause        string    `json:"cause,omitempty"`
	Actor        string    `json:"actor,omitempty"`
	ReplayID     string    `json:"replay_id,omitempty"`
	ErrorCode    string    `json:"error_code,omitempty"`
	ErrorMessage string    `json:"error_message,omitempty"`
	Note         string    `json:"note,omitempty"`
	URL          string    `json:"url,omitempty"`
	Status       int       `json:"status,omitempty" doc:"The answer of the repair endpoint."`
	DurationMS   int64     `json:"duration_ms,omitempty"`
	Answer       string    `json:"answer,omitempty" doc:"The beginning of that answer: untrusted text from the app."`
}

// NewEntry is an entry of a timeline.
func NewEntry(e engine.Entry) Entry {
	return Entry{
		ID:           e.ID,
		Seq:          e.Seq,
		Hash:         evidence.Hash(e.Hash).String(),
		Kind:         string(e.Kind),
		At:           e.At.UTC(),
		State:        string(e.State),
		Cause:        string(e.Cause),
		Actor:        string(e.Actor),
		ReplayID:     e.ReplayID,
		ErrorCode:    e.ErrorCode,
		ErrorMessage: e.ErrorMessage,
		Note:         e.Note,
		URL:          e.URL,
		Status:       e.Status,
		DurationMS:   e.Duration.Milliseconds(),
		Answer:       e.Answer,
	}
}

// Timeline is one page of entries, oldest first.
type Timeline struct {
	Entries   []Entry `json:"entries"`
	NextAfter *int64  `json:"next_after,omitempty" doc:"Absent on the last page."`
}

// NewTimeline is a page of a timeline.
func NewTimeline(p engine.TimelinePage) Timeline {
	t := Timeline{Entries: List(p.Entries, NewEntry)}
	if p.Next > 0 {
		after := p.Next - 1
		t.NextAfter = &after
	}
	return t
}
