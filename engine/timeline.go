package engine

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// Kind is what an [Entry] says happened.
type Kind string

// The kinds of entries.
const (
	// KindReceipt is the first entry: the app accepted the job.
	KindReceipt Kind = "receipt"
	// KindDuplicate is another receipt of the same key; KindMismatch one with other facts.
	KindDuplicate Kind = "duplicate"
	KindMismatch  Kind = "mismatch"
	// KindSuccess and KindFailure are outcomes; KindDeadline is their absence.
	KindSuccess  Kind = "success"
	KindFailure  Kind = "failure"
	KindDeadline Kind = "deadline"
	// KindOpened, KindResolved, KindClosed and KindReopened are of the incident.
	KindOpened   Kind = "opened"
	KindResolved Kind = "resolved"
	KindClosed   Kind = "closed"
	KindReopened Kind = "reopened"
	// KindReprocess is an operator's request to repair, and KindStopped its end by
	// one; KindGaveUp is its end without an outcome.
	KindReprocess Kind = "reprocess"
	KindStopped   Kind = "stopped"
	KindGaveUp    Kind = "gave_up"
	// KindCallback is one request to the repair endpoint; KindAccepted says that
	// the endpoint queued the repair.
	KindCallback Kind = "callback"
	KindAccepted Kind = "accepted"
	// KindNote is an operator's or the engine's remark.
	KindNote Kind = "note"
	// KindAlert is an alert that was sent, KindProof a proof link that was issued,
	// KindErased a customer's data that were destroyed.
	KindAlert  Kind = "alert"
	KindProof  Kind = "proof"
	KindErased Kind = "erased"
)

// Entry is one line of an effect's history. Entries are never changed; erasing
// a customer empties their personal texts.
type Entry struct {
	// ID orders the entries of one effect; the receipt is 0.
	ID int64
	// Seq is the entry's number in the sealed chain, from 1; 0 until it is sealed.
	Seq int
	// Hash is the chain's head at this entry; nil until it is sealed.
	Hash []byte
	// Kind is what happened. Later versions may add kinds.
	Kind Kind
	// At is when it became true, which may be earlier than when it was entered.
	At time.Time
	// State is the state that the effect entered; empty where nothing moved.
	State State
	Cause Cause
	Actor Operator
	// ReplayID names the attempt that the entry belongs to.
	ReplayID                string
	ErrorCode, ErrorMessage string
	Note                    string
	// URL, Status, Duration and Answer belong to a callback; Status is 0 where
	// there was no answer.
	URL      string
	Status   int
	Duration time.Duration
	Answer   string
}

// TimelinePage is one page of a timeline, oldest first.
type TimelinePage struct {
	Entries []Entry
	// Next is the from of the next page, 0 on the last.
	Next int64
}

const timelinePage = 200

// Timeline pages through the history of one effect of the engine's project,
// oldest first, 200 entries per page, beginning with the entry whose ID is from
// or the first one after it. From 0 on it begins with the receipt. An effect that
// does not exist has no entries.
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
