package checks

import "context"

// additions looks for what others hung on the schema's tables. It runs inside
// the transactions of the app and of the engine, and may change, hold up or
// abort them. The schema itself has no trigger, rule or foreign key.
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
					row.Addition + ": its checks lock our rows in a shared mode, beside which Postgres may abort " +
						"an update, and it may keep retention from removing them",
					row.Removal,
				},
			)
			continue
		}
		findings = append(
			findings,
			Finding{"schema", LevelProblem, "not ours: " + row.Addition + ": it runs inside the transactions that signal", row.Removal},
		)
	}
	if len(findings) == 0 {
		findings = []Finding{ok("schema", "no trigger, rule or foreign key was added to its tables")}
	}
	return findings, nil
}
