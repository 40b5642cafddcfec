package checks

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// EngineHealth is the heartbeat of one running engine.
type EngineHealth struct {
	ID, Version, Host string
	StartedAt         time.Time
	SeenAt            time.Time
	// Alive is true if the engine was seen within the last 30 seconds.
	Alive bool
	// LastSweepAt is when the engine's last complete pass began; zero before the first.
	LastSweepAt time.Time
	// Lag is how long ago the oldest unlocked deadline passed.
	Lag time.Duration
	// OverdueLocked counts overdue effects that the app has locked, up to 1,000.
	OverdueLocked int
}

// Engines returns the heartbeats of engines seen within the last day, newest first.
func (c *Checks) Engines(ctx context.Context) ([]EngineHealth, error) {
	rows, err := c.db.Queries.EngineList(ctx, c.db.Pool)
	var engines []EngineHealth
	for _, r := range rows {
		engines = append(engines, EngineHealth{
			ID: r.EngineID, Version: r.Version, Host: r.Host, StartedAt: r.StartedAt, SeenAt: r.SeenAt,
			Alive: r.Alive, LastSweepAt: pg.Value(r.LastSweepAt), Lag: pg.FromSeconds(r.LagSeconds), OverdueLocked: r.OverdueLocked,
		})
	}
	return engines, err
}
