package engine

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// Kind is the type of an [Entry].
type Kind string

// The kinds of entries.
const (
	// KindReceipt is the first entry: the app accepted the job.
	KindReceipt Kind = "receipt"
	// KindDuplicate is another receipt of the same key. KindMismatch is one with different facts,
	// or one for a closed effect.
	KindDuplicate Kind = "duplicate"
	KindMismatch  Kind = "mismatch"
	// KindSuccess and KindFailure are outcomes. KindDeadline says that none arrived in time.
	KindSuccess  Kind = "success"
	KindFailure  Kind = "failure"
	KindDeadline Kind = "deadline"
	// KindOpened, KindResolved, KindClosed and KindReopened are changes of the incident.
	KindOpened   Kind = "opened"
	KindResolved Kind = "resolved"
	KindClosed   Kind = "closed"
	KindReopened Kind = "reopened"
	// KindReprocess is an operator's reprocess request. KindStopped says that an operator stopped
	// the attempt, KindGaveUp that it ended without an outcome.
	KindReprocess Kind = "reprocess"
	KindStopped   Kind = "stopped"
	KindGaveUp    Kind = "gave_up"
	// KindCallback is one request to the repair endpoint. KindAccepted says that the endpoint
	// queued the repair.
	KindCallback Kind = "callback"
	KindAccepted Kind = "accepted"
	// KindNote is a note by an operator or the engine.
	KindNote Kind = "note"
	// KindAlert is an alert that was sent. KindProof is a proof link that was issued. KindErased
	// says that a customer's personal data were erased.
	KindAlert  Kind = "alert"
	KindProof  Kind = "proof"
	KindErased Kind = "erased"
)

// Entry is one line of an effect's timeline. Entries never change, except that erasing a customer
// removes their personal data.
type Entry struct {
	// ID orders the entries of one effect; the receipt is 0.
	ID int64
	// Seq is the entry's number in the sealed chain, from 1; 0 until the entry is sealed.
	Seq int
	// Hash is the chain's hash up to this entry; nil until the entry is sealed.
	Hash []byte
	// Kind is what happened. Later versions may add kinds.
	Kind Kind
	// At is when it happened, which may be earlier than when it was recorded.
	At time.Time
	// State is the effect's new state; empty if the state did not change.
	State State
	Cause Cause
	Actor Operator
	// ReplayID names the attempt that the entry belongs to.
	ReplayID                string
	ErrorCode, ErrorMessage string
	Note                    string
	// URL, Status, Duration and Answer belong to a callback. Status is 0 if there was no answer.
	URL      string
	Status   int
	Duration time.Duration
	Answer   string
}

// TimelinePage is one page of a timeline, oldest first.
type TimelinePage struct {
	Entries []Entry
	// Next is the from of the next page; it is 0 on the last page.
	Next int64
}

const timelinePage = 200

// Timeline returns one page of an effect's timeline, oldest first, with at most 200 entries. The
// page begins with the first entry whose ID is at least from; 0 begins with the receipt. An effect
// that does not exist in the engine's project has no entries.
func (e *Engine) Timeline(ctx context.Context, id EffectID, from int64) (TimelinePage, error) {
	if err := validID("id", string(id)); err != nil {
		return TimelinePage{}, err
	}
	rows, err := e.queries.TimelineList(ctx, e.pool, dbsqlc.TimelineListParams{
		Project: e.cfg.Project, EffectID: string(id),
		After: max(from, 0) - 1, Page: timelinePage + 1,
	})
	if err != nil {
		return TimelinePage{}, named.Error("reading a timeline", err)
	}
	var page TimelinePage
	if len(rows) > timelinePage {
		page.Next = rows[timelinePage].EntryID
		rows = rows[:timelinePage]
	}
	for _, r := range rows {
		page.Entries = append(page.Entries, Entry{
			ID: r.EntryID, Seq: r.Seq, Hash: r.Hash, Kind: Kind(r.Kind), At: r.At, State: State(r.State), Cause: Cause(r.Cause),
			Actor: Operator(r.Actor), ReplayID: r.ReplayID, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, Note: r.Note,
			URL: r.Url, Status: r.Status, Duration: time.Duration(r.DurationMs) * time.Millisecond, Answer: r.Answer,
		})
	}
	return page, nil
}
