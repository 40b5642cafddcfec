package main

import (
	"fmt"

	"github.com/sendpromptly/sendpromptly/internal/store"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is pending."`
	Status migrateStatus `cmd:"" help:"List the migrations and when each was applied."`
	SQL    migrateSQL    `cmd:"" name:"sql" help:"Print the migrations, for a team that applies them with its own tool."`
}

type migrateUp struct{}

// Run applies what is pending.
func (migrateUp) Run(s *session) error {
	pool, err := s.pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	done, err := store.MigrateUp(s.ctx, pool)
	if err != nil {
		return err
	}
	for _, m := range done {
		say(s.stdout, "applied %04d_%s", m.Version, m.Name)
	}
	if len(done) == 0 {
		say(s.stdout, "nothing pending")
	}
	return nil
}

type migrateStatus struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the migrations; a pending one gives exit code 1.
func (c migrateStatus) Run(s *session) error {
	pool, err := s.pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	all, err := store.Migrations(s.ctx, pool)
	if err != nil {
		return err
	}
	pending := false
	var rows [][]string
	for _, m := range all {
		applied := moment(m.AppliedAt)
		if m.AppliedAt.IsZero() {
			pending = true
			applied = waiting.Render("pending")
		}
		rows = append(rows, []string{fmt.Sprintf("%04d", m.Version), m.Name, applied})
	}
	if c.JSON {
		if err := sayJSON(s.stdout, all); err != nil {
			return err
		}
	} else {
		sayTable(s.stdout, []string{"VERSION", "NAME", "APPLIED"}, rows)
	}
	if pending {
		return errFound
	}
	return nil
}

type migrateSQL struct{}

// Run prints all migrations in order; it needs no database.
func (migrateSQL) Run(s *session) error {
	all, err := store.MigrationFiles()
	if err != nil {
		return err
	}
	for _, m := range all {
		if _, err := fmt.Fprintf(s.stdout, "-- %04d_%s\n%s\n", m.Version, m.Name, m.SQL); err != nil {
			return err
		}
	}
	return nil
}
