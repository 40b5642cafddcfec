// Command spadmin operates SendPromptly: it migrates and checks the database,
// serves the console and the APIs, runs the engine's steps, reads and repairs
// incidents, and issues and checks proofs. Each subcommand has its own file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/proof"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

// The exit codes.
const (
	exitFine  = 0
	exitFound = 1
	exitUsage = 2
)

type commands struct {
	DatabaseURL   string `help:"Connection string of the database." env:"DATABASE_URL" placeholder:"URL"`
	AllowNetworks string `help:"Private networks that callbacks and other outgoing requests may reach: CIDRs, separated by commas." env:"SENDPROMPTLY_ALLOW_NETWORKS" placeholder:"CIDRS"`

	Migrate   migrateCommand   `cmd:"" help:"Apply, list or print the schema's migrations."`
	Doctor    doctorCommand    `cmd:"" help:"Find configuration problems and print how to fix them."`
	Verify    verifyCommand    `cmd:"" help:"Check the database against its invariants."`
	Sweep     sweepCommand     `cmd:"" help:"Run one sweep: open incidents for missed deadlines."`
	Run       runCommand       `cmd:"" help:"Run the engine's steps until interrupted."`
	Retain    retainCommand    `cmd:"" help:"Remove old settled effects, and archive them on request."`
	Project   projectCommand   `cmd:"" help:"Create, list and change projects."`
	Alert     alertCommand     `cmd:"" help:"Send test alerts."`
	Incidents incidentsCommand `cmd:"" help:"List incidents, newest first."`
	Show      showCommand      `cmd:"" help:"Print an incident and its timeline."`
	Reprocess reprocessCommand `cmd:"" help:"Ask the app to repair an incident."`
	Stop      stopCommand      `cmd:"" help:"Stop the current attempt."`
	Close     closeCommand     `cmd:"" help:"Close an incident with a note."`
	Reopen    reopenCommand    `cmd:"" help:"Reopen a closed incident with a note."`
	Erase     eraseCommand     `cmd:"" help:"Erase a customer's personal data. Chains and proofs stay valid."`
	Audit     auditCommand     `cmd:"" help:"Check the timelines for tampering."`
	Serve     serveCommand     `cmd:"" help:"Serve the console, the APIs and proof links, and run the engine."`
	Proof     proof.Command    `cmd:"" help:"Issue, check, export and revoke proofs, and manage their keys."`
	Demo      demoCommand      `cmd:"" help:"Show how a small shop loses effects and repairs them."`
	Key       keyCommand       `cmd:"" help:"Create, list and revoke API keys for the ingest API."`
	Operator  operatorCommand  `cmd:"" help:"Invite operators and list their roles."`
	Token     tokenCommand     `cmd:"" help:"Create, list and revoke tokens for the admin API."`
	OpenAPI   openapiCommand   `cmd:"" name:"openapi" help:"Print the admin API's description in OpenAPI 3.1."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run parses and executes the command line, and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var line commands
	exited := -1
	parser, err := kong.New(
		&line,
		kong.Name("spadmin"),
		kong.Description("Operate SendPromptly: find and repair what customers paid for and did not get."),
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "spadmin:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "spadmin: %s\nsee: spadmin --help\n", err)
		return exitUsage
	}
	allow, err := guardedhttp.ParseAllow(line.AllowNetworks)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "spadmin: --allow-networks:", err)
		return exitUsage
	}
	return report(
		parsed.Run(&cli.Session{Context: ctx, Stdout: stdout, Stderr: stderr, DatabaseURL: line.DatabaseURL, Allow: allow}),
		stderr,
	)
}

// report prints an error with its hint and chooses the exit code.
func report(err error, stderr io.Writer) int {
	var field *engine.FieldError
	var advice cli.Hint
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, cli.ErrFound):
		return exitFound
	}
	_, _ = fmt.Fprintln(stderr, "spadmin:", saidOnce(err))
	if errors.As(err, &advice) {
		_, _ = fmt.Fprintln(stderr, "hint:", advice.Advice)
	} else if text := adviceOfPostgres(err); text != "" {
		_, _ = fmt.Fprintln(stderr, "hint:", text)
	}
	if errors.As(err, &field) {
		return exitUsage
	}
	return exitFound
}

// saidOnce removes the engine's prefix from an error's text wherever it occurs,
// because each line already begins with "spadmin:".
func saidOnce(err error) string {
	const name = "sendpromptly: "
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(strings.TrimPrefix(line, name), ": "+name, ": ")
	}
	return strings.Join(lines, "\n")
}

// adviceOfPostgres returns advice for a Postgres error that has one usual cause.
func adviceOfPostgres(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	switch pg.Code {
	case "3F000", "42P01", "42883", "42703":
		return "the schema is missing or older than this spadmin: check it with spadmin migrate status, fix it with spadmin migrate up"
	case "42501":
		return "this database user lacks permission: connect as the schema's owner, or as a member of " +
			"sendpromptly_operator or sendpromptly_engine"
	}
	return ""
}
