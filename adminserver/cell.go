package adminserver

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Cell is one whole database that the server stands on.
type Cell struct {
	// Name tells cells apart.
	Name string
	// Pool is connected to the cell's migrated database.
	Pool *pgxpool.Pool
	// Schema is the schema that the cell was migrated into. Default: "sendpromptly",
	// and no other is supported yet.
	Schema string
}

// onlyCell is the pool of the one cell that a server can stand on so far.
func (c Config) onlyCell() (*pgxpool.Pool, error) {
	field := "Config.Pool"
	cell := Cell{Pool: c.Pool}
	if len(c.Cells) > 0 {
		if c.Pool != nil {
			return nil, &engine.FieldError{Field: "Config.Pool", Reason: "and Config.Cells exclude each other: set one of them"}
		}
		field, cell = "Config.Cells[0].Pool", c.Cells[0]
	}
	switch {
	case len(c.Cells) > 1:
		return nil, &engine.FieldError{Field: "Config.Cells", Reason: "holds more than one cell, which is not supported yet"}
	case cell.Schema != "" && cell.Schema != "sendpromptly":
		return nil, &engine.FieldError{
			Field:  "Config.Cells[0].Schema",
			Reason: "may only be sendpromptly: another schema is not supported yet",
		}
	case cell.Pool == nil:
		return nil, &engine.FieldError{Field: field, Reason: "is nil"}
	}
	return cell.Pool, nil
}
