package main

import (
	"fmt"
	"strings"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply pending migrations."`
	Status migrateStatus `cmd:"" help:"List the migrations and functions, and when each was applied."`
	SQL    migrateSQL    `cmd:"" name:"sql" help:"Print the migrations and functions, or write them as files for goose."`
	Grants migrateGrants `cmd:"" help:"Create missing roles and grant all roles their permissions again."`
}

type migrateUp struct{}

// Run applies pending migrations.
func (migrateUp) Run(s *cli.Session) error {
	pool, err := s.Pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	done, err := migrate.Up(s.Context, pool)
	if err != nil {
		return err
	}
	for _, m := range done {
		cli.Say(s.Stdout, "applied %s", m)
	}
	if len(done) == 0 {
		cli.Say(s.Stdout, "nothing pending")
	}
	return nil
}

type migrateStatus struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the migrations and functions; a pending one gives exit code 1.
func (c migrateStatus) Run(s *cli.Session) error {
	pool, err := s.Pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	all, err := migrate.Status(s.Context, pool)
	if err != nil {
		return err
	}
	pending := false
	var rows [][]string
	for _, m := range all {
		applied := cli.Moment(m.AppliedAt)
		switch {
		case m.Pending():
			pending = true
			applied = colour.Waiting.Render("pending")
		case m.SupersededBy > 0:
			applied = fmt.Sprintf("replaced by %05d", m.SupersededBy)
		}
		rows = append(rows, []string{fmt.Sprintf("%05d", m.Version), m.Name, applied})
	}
	if c.JSON {
		if err := cli.SayJSON(s.Stdout, all); err != nil {
			return err
		}
	} else {
		cli.SayTable(s.Stdout, []string{"VERSION", "NAME", "APPLIED"}, rows)
	}
	if pending {
		return cli.ErrFound
	}
	return nil
}

type migrateSQL struct {
	Dir  string `placeholder:"DIR" help:"Write goose files into this folder instead of printing."`
	From int    `placeholder:"N" help:"Skip migrations up to this number."`
}

// Run prints the migrations and functions in order, or writes them as files. It
// needs no database.
func (c migrateSQL) Run(s *cli.Session) error {
	if c.Dir != "" {
		names, err := migrate.WriteFiles(c.Dir, c.From)
		for _, name := range names {
			cli.Say(s.Stdout, "%s", name)
		}
		if err == nil && len(names) == 0 {
			cli.Say(s.Stdout, "nothing is newer than %d", c.From)
		}
		return err
	}
	all, err := migrate.All()
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Version <= c.From {
			continue
		}
		if _, err := fmt.Fprintf(s.Stdout, "-- %s\n%s\n", m, m.SQL); err != nil {
			return err
		}
	}
	return nil
}

type migrateGrants struct{}

// Run creates missing roles and grants all roles their permissions.
func (migrateGrants) Run(s *cli.Session) error {
	pool, err := s.Pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	missing, err := migrate.Grants(s.Context, pool)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf(
			"no permission to create %s: ask an administrator for CREATE ROLE … NOLOGIN, then run this again",
			strings.Join(missing, ", "),
		)
	}
	cli.Say(s.Stdout, "granted")
	return nil
}
