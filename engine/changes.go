package engine

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// Change says that an incident, an attempt or a project's settings changed. It has ids only; read
// the current state with them.
type Change struct {
	// Cursor is the position after this change. Pass it to [Engine.Changes] to continue from here.
	Cursor string
	// Kind is "incident", "attempt" or "settings". What is the new state, or what happened.
	Kind, What string
	// ID is the incident's id; for settings it is the project's.
	ID      string
	Project string
	At      time.Time
}

const changesPage = 500

// Changes iterates over the changes in all projects that follow the cursor after. For "" it starts
// with the oldest change that is still stored; changes are stored for a week. It reads once per
// sweep interval, until ctx ends or the caller leaves the loop.
//
// Every change is delivered at least once and none is skipped, in any order of commits. While an
// older transaction is running, changes are delivered at once, but may be delivered again after a
// reconnect. An error is delivered once and the iteration continues; leave the loop to stop.
func (e *Engine) Changes(ctx context.Context, after string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		floor, err := parseCursor(after)
		if err != nil {
			yield(Change{}, err)
			return
		}
		feed := changeFeed{engine: e, floor: floor, seen: map[int64]bool{}}
		for {
			more, err := feed.poll(ctx, yield)
			if ctx.Err() != nil || !more {
				return
			}
			if err != nil && !yield(Change{}, err) {
				return
			}
			if !wait(ctx, e.cfg.SweepInterval) {
				return
			}
		}
	}
}

// cursor is a position in the feed. Everything before it has been delivered, and nothing can appear
// there any more.
type cursor struct {
	xid string
	seq int64
}

func (c cursor) String() string { return c.xid + "-" + strconv.FormatInt(c.seq, 10) }

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{xid: "0"}, nil
	}
	xid, seq, _ := strings.Cut(s, "-")
	number, err := strconv.ParseUint(xid, 10, 64)
	n, err2 := strconv.ParseInt(seq, 10, 64)
	c := cursor{strconv.FormatUint(number, 10), n}
	if err != nil || err2 != nil || c.String() != s { // Postgres would read 010 as octal
		return cursor{}, &FieldError{"after", "is not the cursor of a change"}
	}
	return c, nil
}

// changeFeed remembers what it has delivered after the floor.
type changeFeed struct {
	engine *Engine
	floor  cursor
	seen   map[int64]bool
}

// poll delivers what is visible now. more is false once the caller has left the loop.
//
// The floor moves past a row only if that row and every row before it in this poll are settled:
// before an unsettled row, an older transaction may still commit.
func (f *changeFeed) poll(ctx context.Context, yield func(Change, error) bool) (more bool, err error) {
	at, settled := f.floor, true
	for {
		rows, err := f.engine.queries.ChangesAfter(
			ctx,
			f.engine.pool,
			dbsqlc.ChangesAfterParams{Xid: at.xid, Seq: at.seq, Page: changesPage},
		)
		if err != nil {
			return true, named.Error("reading changes", err)
		}
		for _, row := range rows {
			at = cursor{row.Xid, row.Seq}
			known := f.seen[row.Seq]
			if settled = settled && row.Settled; settled {
				f.floor = at
				delete(f.seen, row.Seq)
			} else {
				f.seen[row.Seq] = true
			}
			if known {
				continue
			}
			change := Change{
				Cursor: f.floor.String(), Kind: row.Kind, What: row.What, ID: row.SubjectID, Project: row.Project,
				At: row.At,
			}
			if !yield(change, nil) {
				return false, nil
			}
		}
		if len(rows) < changesPage {
			return true, nil
		}
	}
}
