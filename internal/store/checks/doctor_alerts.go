package checks

import (
	"context"
	"fmt"
)

// alerts finds alerts that were not delivered.
func (c *Checks) alerts(ctx context.Context) ([]Finding, error) {
	counts, err := c.db.Queries.AlertTroubleCount(ctx, c.db.Pool)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	if counts.GaveUp > 0 {
		findings = append(findings, Finding{
			"alerts",
			LevelProblem,
			fmt.Sprintf("%d alerts of the last week could not be delivered", counts.GaveUp),
			"spadmin alert test --project NAME shows what is wrong; SELECT channel, error, made_at FROM sendpromptly.alerts WHERE " +
				"state = 'gave_up';",
		})
	}
	if counts.Late > 0 {
		findings = append(findings, Finding{
			"alerts", LevelWarning, fmt.Sprintf("%d alerts have been retried for over an hour", counts.Late),
			"spadmin alert test --project NAME shows what is wrong",
		})
	}
	if counts.Unsent > 0 {
		findings = append(
			findings,
			Finding{
				"alerts",
				LevelProblem,
				capped(counts.Unsent) + " incidents wait for their alert: no server is sending alerts",
				"run spadmin serve",
			},
		)
	}
	if len(findings) == 0 {
		findings = []Finding{ok("alerts", "no alerts are waiting")}
	}
	return findings, nil
}
