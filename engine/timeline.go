package engine

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
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
	// Kind is receipt, duplicate, mismatch, success, failure, deadline, opened,
	// reprocess, callback, accepted, gave_up, stopped, resolved, closed,
	// reopened, note, alert, proof or erased.
	Kind string
	// At is when it became true, which may be earlier than when it was entered.
	At time.Time
	// State is the state that the effect entered; empty where nothing moved.
	State State
	Cause State
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
	// Next is the after of the next page, -1 on the last.
	Next int64
}

const timelinePage = 200

// Timeline pages through the history of one effect of the engine's project,
// oldest first, 200 entries a page. The first page comes after -1. An effect
// that does not exist has no entries.
func (e *Engine) Timeline(ctx context.Context, id EffectID, after int64) (TimelinePage, error) {
	if err := validID("id", string(id)); err != nil {
		return TimelinePage{}, err
	}
	rows, err := e.queries.TimelineList(ctx, e.pool, dbsqlc.TimelineListParams{Project: e.cfg.Project, EffectID: string(id),
		After: after, Page: timelinePage + 1})
	if err != nil {
		return TimelinePage{}, err
	}
	page := TimelinePage{Next: -1}
	if len(rows) > timelinePage {
		rows = rows[:timelinePage]
		page.Next = rows[timelinePage-1].EntryID
	}
	for _, r := range rows {
		page.Entries = append(page.Entries, Entry{
			ID: r.EntryID, Seq: r.Seq, Hash: r.Hash, Kind: r.Kind, At: r.At, State: State(r.State), Cause: State(r.Cause),
			Actor: Operator(r.Actor), ReplayID: r.ReplayID, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, Note: r.Note,
			URL: r.Url, Status: r.Status, Duration: time.Duration(r.DurationMs) * time.Millisecond, Answer: r.Answer,
		})
	}
	return page, nil
}
