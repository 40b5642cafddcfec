// Package dbsqlc is what sqlc generates from sql/queries. By hand beside it are
// only the queries that are queued into a batch as well as run, because sqlc
// writes the running alone; a test holds each to its generated twin.
package dbsqlc

import "github.com/jackc/pgx/v5"

// QueueEffectAccept is [Queries.EffectAccept] as a part of a batch. done is called while its results are read.
func (q *Queries) QueueEffectAccept(batch *pgx.Batch, arg EffectAcceptParams, done func(EffectAcceptRow, error) error) {
	queued := batch.Queue(effectAccept,
		arg.Project,
		arg.Provider,
		arg.EventID,
		arg.Effect,
		arg.EventType,
		arg.Subject,
		arg.OccurredAt,
		arg.Timeout,
		arg.Amount,
		arg.Currency,
		arg.Customer,
		arg.Version,
		arg.Merchant,
		arg.Objects,
		arg.Snapshot,
		arg.SourceEvent,
	)
	queued.QueryRow(func(row pgx.Row) error {
		var i EffectAcceptRow
		err := row.Scan(
			&i.EffectID,
			&i.Deadline,
			&i.Duplicate,
			&i.Met,
		)
		return done(i, err)
	})
}

// QueueEffectSucceed is [Queries.EffectSucceed] as a part of a batch. done is called while its results are read.
func (q *Queries) QueueEffectSucceed(batch *pgx.Batch, arg EffectSucceedParams, done func(EffectSucceedRow, error) error) {
	queued := batch.Queue(effectSucceed,
		arg.Provider,
		arg.EventID,
		arg.Effect,
		arg.ReplayID,
		arg.Project,
	)
	queued.QueryRow(func(row pgx.Row) error {
		var i EffectSucceedRow
		err := row.Scan(&i.EffectID, &i.State, &i.Changed)
		return done(i, err)
	})
}

// QueueEngineBeat is [Queries.EngineBeat] as a part of a batch. done is called while its results are read.
func (q *Queries) QueueEngineBeat(batch *pgx.Batch, arg EngineBeatParams, done func(EngineBeatRow, error) error) {
	queued := batch.Queue(engineBeat,
		arg.EngineID,
		arg.Version,
		arg.Host,
		arg.LastSweepAt,
		arg.OverdueLocked,
		arg.SweepSeconds,
	)
	queued.QueryRow(func(row pgx.Row) error {
		var i EngineBeatRow
		err := row.Scan(&i.Others, &i.Earlier)
		return done(i, err)
	})
}
