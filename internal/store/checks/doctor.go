package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
	"github.com/sendpromptly/sendpromptly/internal/testclock"
)

// Finding is the result of one check of doctor.
type Finding struct {
	// Area is schema, clock, roles, settings, secrets, engines, backlog or alerts.
	Area string `json:"area"`
	// Level is ok, warning or problem.
	Level  string `json:"level"`
	Detail string `json:"detail"`
	// Repair is the statement or command that fixes it; empty if nothing is wrong.
	Repair string `json:"repair,omitempty"`
}

// The levels of a finding. Only a problem makes doctor fail.
const (
	LevelOK      = "ok"
	LevelWarning = "warning"
	LevelProblem = "problem"
)

const clockRepair = "CREATE OR REPLACE FUNCTION sendpromptly.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT " +
	"pg_catalog.clock_timestamp()';"

// Doctor checks the setup of the deployment: the schema and its drift, the clock, roles, the
// server's settings, stored secrets, running engines and the backlog. It changes nothing.
func (c *Checks) Doctor(ctx context.Context) ([]Finding, error) {
	pending, err := c.pendingMigrations(ctx)
	if err != nil || pending.Level == LevelProblem {
		return []Finding{pending}, err
	}
	findings := []Finding{pending}
	for _, look := range []func(context.Context) ([]Finding, error){
		c.schemaDrift, c.additions, c.clock, c.roles, c.server, c.secrets, c.engines, c.backlog, c.alerts,
	} {
		found, err := look(ctx)
		if err != nil {
			return findings, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

func ok(area, detail string) Finding { return Finding{Area: area, Level: LevelOK, Detail: detail} }

func (c *Checks) pendingMigrations(ctx context.Context) (Finding, error) {
	all, err := migrate.Status(ctx, c.db.Pool)
	if err != nil {
		return Finding{}, err
	}
	var pending []string
	for _, m := range all {
		if m.Pending() {
			pending = append(pending, m.String())
		}
	}
	if len(pending) > 0 {
		return Finding{"schema", LevelProblem, "pending migrations: " + strings.Join(pending, ", "), "spadmin migrate up"}, nil
	}
	set := all[len(all)-1]
	return ok("schema", fmt.Sprintf("version %d, nothing pending", max(set.Version, set.SupersededBy))), nil
}

// schemaDrift compares functions, columns and indexes with the fingerprint that
// is released with the migrations.
func (c *Checks) schemaDrift(ctx context.Context) ([]Finding, error) {
	have, err := fingerprint(ctx, c.db.Queries, c.db.Pool)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, line := range missingFrom(expectedSchema(), have) {
		findings = append(
			findings,
			Finding{"schema", LevelProblem, "missing or changed: " + line, "spadmin migrate sql prints the definition"},
		)
	}
	for _, line := range missingFrom(have, expectedSchema()) {
		if strings.HasPrefix(line, "public may execute") {
			name := strings.TrimPrefix(line, "public may execute ")
			findings = append(
				findings,
				Finding{"roles", LevelProblem, line, "REVOKE EXECUTE ON FUNCTION sendpromptly." + name + " FROM PUBLIC;"},
			)
			continue
		}
		findings = append(
			findings,
			Finding{"schema", LevelWarning, "not part of the schema: " + line, "drop it, or keep it if you added it on purpose"},
		)
	}
	if len(findings) == 0 {
		findings = []Finding{ok("schema", "functions, columns and indexes are as released")}
	}
	return findings, nil
}

func missingFrom(want, have []string) []string {
	var missing []string
	for _, line := range want {
		if _, found := slices.BinarySearch(have, line); !found {
			missing = append(missing, line)
		}
	}
	return missing
}

func (c *Checks) clock(ctx context.Context) ([]Finding, error) {
	problems, err := c.clockProblems(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return []Finding{{"clock", LevelProblem, problems[0], clockRepair}}, nil
	}
	state, err := c.db.Queries.ServerState(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	// The engine uses only Postgres's clock; the app's clock matters to people who compare times.
	if drift := time.Since(state.Now).Abs(); drift > 30*time.Second {
		return []Finding{
			{
				"clock",
				LevelWarning,
				fmt.Sprintf("this machine and Postgres differ by %s", drift.Round(time.Second)),
				"synchronize both with NTP",
			},
		}, nil
	}
	return []Finding{ok("clock", "the clock is Postgres's own, and this machine's agrees")}, nil
}

// clockProblems is also used by Verify.
func (c *Checks) clockProblems(ctx context.Context, db dbsqlc.DBTX) ([]string, error) {
	row, err := c.db.Queries.ClockBody(ctx, db)
	if err != nil {
		return nil, err
	}
	if !testclock.Intact(row.Body, row.Database) {
		return []string{"sendpromptly.clock() was replaced"}, nil
	}
	return nil, nil
}

func (c *Checks) roles(ctx context.Context) ([]Finding, error) {
	have, err := c.db.Queries.RoleList(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, role := range []string{"sendpromptly_app", "sendpromptly_engine", "sendpromptly_operator"} {
		if !slices.Contains(have, role) {
			findings = append(findings, Finding{
				"roles", LevelWarning, "role " + role + " does not exist",
				"spadmin migrate grants; where that may not create roles: CREATE ROLE " + role + " NOLOGIN; first",
			})
		}
	}
	if len(findings) == 0 {
		findings = []Finding{ok("roles", "sendpromptly_app, sendpromptly_engine and sendpromptly_operator exist")}
	}
	return findings, nil
}

// server checks the settings that the engine depends on.
func (c *Checks) server(ctx context.Context) ([]Finding, error) {
	state, err := c.db.Queries.ServerState(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	findings := []Finding{ok("settings", fmt.Sprintf("PostgreSQL %d.%d", state.VersionNum/10000, state.VersionNum%10000))}
	if state.VersionNum < 150000 {
		findings[0] = Finding{"settings", LevelProblem, "PostgreSQL is older than 15", "upgrade Postgres"}
	}
	if state.Encoding != "UTF8" {
		findings = append(
			findings,
			Finding{
				"settings", LevelProblem, "the database's encoding is " + state.Encoding,
				"create the database with ENCODING 'UTF8'",
			},
		)
	}
	if state.Autovacuum != "on" {
		findings = append(
			findings,
			Finding{
				"settings",
				LevelProblem,
				"autovacuum is off: the table of owed deadlines will bloat",
				"ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();",
			},
		)
	}
	if state.Fsync != "on" {
		findings = append(
			findings,
			Finding{
				"settings",
				LevelWarning,
				"fsync is off: a crash loses what was acknowledged",
				"ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
			},
		)
	}
	if state.OldestTransaction > 3600 {
		findings = append(
			findings,
			Finding{
				"settings",
				LevelWarning,
				fmt.Sprintf(
					"a transaction has been open for %s: dead rows cannot be removed, and if it wrote, sealing waits for it",
					pg.FromSeconds(state.OldestTransaction).
						Round(time.Minute),
				),
				"SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start LIMIT 1;",
			},
		)
	}
	return findings, nil
}

func (c *Checks) secrets(ctx context.Context) ([]Finding, error) {
	readable, err := c.db.Queries.SecretsReadable(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	if !readable {
		return []Finding{ok("secrets", "not checked: this role may not read callback secrets, which is correct for an operator")}, nil
	}
	rows, err := c.db.Queries.SecretList(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	plain, shut := 0, 0
	for _, row := range rows {
		switch {
		case !row.Sealed:
			plain++
		case c.db.Box == nil:
			shut++
		default:
			if _, err := c.db.Box.Open(row.Secret, secretbox.CallbackSecretOwner(row.ProjectID)); err != nil {
				shut++
			}
		}
	}
	without, err := c.db.Queries.SecretlessCount(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	if plain > 0 {
		findings = append(findings, Finding{
			"secrets", LevelWarning, fmt.Sprintf("%d callback secrets are stored unencrypted", plain),
			"set SENDPROMPTLY_SECRET_KEY, then spadmin project set NAME --rotate-callback-secret",
		})
	}
	if shut > 0 {
		findings = append(findings, Finding{
			"secrets", LevelProblem, fmt.Sprintf("%d callback secrets are encrypted and cannot be decrypted with the key that is set "+
				"here", shut),
			"set SENDPROMPTLY_SECRET_KEY to the key that every engine has",
		})
	}
	if without > 0 {
		findings = append(findings, Finding{
			"secrets", LevelProblem, fmt.Sprintf("%d projects have a repair URL but no callback secret", without),
			"spadmin project set NAME --rotate-callback-secret",
		})
	}
	if len(findings) == 0 {
		findings = []Finding{ok("secrets", fmt.Sprintf("%d callback secrets, all encrypted", len(rows)))}
	}
	return findings, nil
}

func (c *Checks) engines(ctx context.Context) ([]Finding, error) {
	rows, err := c.db.Queries.EngineList(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	alive := 0
	var findings []Finding
	for _, e := range rows {
		if !e.Alive {
			continue
		}
		alive++
		if e.OverdueLocked > 0 {
			findings = append(findings, Finding{
				"engines", LevelWarning, fmt.Sprintf("engine on %s: %d overdue effects are locked by their workers", e.Host,
					e.OverdueLocked),
				"call Succeed last in the effect's transaction, or use Apply",
			})
		}
	}
	if alive == 0 {
		return []Finding{
			{
				"engines",
				LevelProblem,
				"no engine has been running for 30 seconds: nothing checks deadlines",
				"run engine.Run in your app, or spadmin run",
			},
		}, nil
	}
	return append(findings, ok("engines", fmt.Sprintf("%d running", alive))), nil
}

func (c *Checks) backlog(ctx context.Context) ([]Finding, error) {
	counts, err := c.db.Queries.BacklogCount(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	findings := []Finding{ok("backlog", capped(counts.Owed)+" effects owed")}
	if counts.Overdue > 0 {
		findings = append(
			findings,
			Finding{
				"backlog", LevelProblem, capped(counts.Overdue) + " effects are overdue without an incident",
				"spadmin sweep",
			},
		)
	}
	if counts.SetAside > 0 {
		findings = append(
			findings,
			Finding{
				"backlog",
				LevelProblem,
				capped(counts.SetAside) + " overdue effects are retried hourly: opening their incidents failed",
				"SELECT effect_id, poisoned FROM sendpromptly.owed WHERE poisoned IS NOT NULL;",
			},
		)
	}
	if counts.Deferred > 0 {
		findings = append(
			findings,
			Finding{
				"backlog",
				LevelWarning,
				capped(counts.Deferred) + " failures are stored until their effects are unlocked",
				"SELECT * FROM sendpromptly.deferred_failures ORDER BY at;",
			},
		)
	}
	return findings, nil
}

// capped formats a count that stops at 100,000.
func capped(n int) string {
	if n > 100000 {
		return "100,000+"
	}
	return fmt.Sprint(n)
}
