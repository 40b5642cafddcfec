package checks

import "context"

// additions finds triggers, rules and foreign keys that others added to the schema's tables. They
// run inside the transactions of the app and the engine, and may change, delay or abort them. The
// schema itself has none.
func (c *Checks) additions(ctx context.Context) ([]Finding, error) {
	rows, err := c.db.Queries.SchemaAdditionList(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, row := range rows {
		if row.FromOutside {
			findings = append(
				findings,
				Finding{
					"schema",
					LevelWarning,
					row.Addition + ": its checks take shared locks on our rows. Postgres may then abort " +
						"an update, and it may keep retention from removing them",
					row.Removal,
				},
			)
			continue
		}
		findings = append(
			findings,
			Finding{
				"schema", LevelProblem, "not ours: " + row.Addition + ": it runs inside the transactions that signal",
				row.Removal,
			},
		)
	}
	if len(findings) == 0 {
		findings = []Finding{ok("schema", "no trigger, rule or foreign key was added to its tables")}
	}
	return findings, nil
}
