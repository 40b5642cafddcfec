package adminserver

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Cell is one complete database that the server uses.
type Cell struct {
	// Name identifies the cell.
	Name string
	// Pool is connected to the cell's migrated database.
	Pool *pgxpool.Pool
	// Schema is the schema that the cell was migrated into. Default: "sendpromptly", the only supported one.
	Schema string
}

// onlyCell is the pool of the one cell that a server can use.
func (c Config) onlyCell() (*pgxpool.Pool, error) {
	field := "Config.Pool"
	cell := Cell{Pool: c.Pool}
	if len(c.Cells) > 0 {
		if c.Pool != nil {
			return nil, &engine.FieldError{Field: "Config.Pool", Reason: "and Config.Cells cannot both be set: set one of them"}
		}
		field, cell = "Config.Cells[0].Pool", c.Cells[0]
	}
	switch {
	case len(c.Cells) > 1:
		return nil, &engine.FieldError{Field: "Config.Cells", Reason: "has more than one cell, which is not supported"}
	case cell.Schema != "" && cell.Schema != "sendpromptly":
		return nil, &engine.FieldError{
			Field:  "Config.Cells[0].Schema",
			Reason: "must be sendpromptly: other schemas are not supported",
		}
	case cell.Pool == nil:
		return nil, &engine.FieldError{Field: field, Reason: "is nil"}
	}
	return cell.Pool, nil
}
