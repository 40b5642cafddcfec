package incidents

import (
	"context"
	"encoding/json"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// QuickCount is a limit for [Incidents.Count] with which counting takes no longer than listing a
// page. [CountCap] is the highest limit.
const QuickCount = 10_000

// Count counts the incidents that match a filter; capped means that there may be more. If the
// filter has only a state, a cause and times, Count reads at most the newest look incidents.
// Otherwise it reads at most the newest 10,000, and stops when a tenth of look match. So its time
// does not depend on the number of incidents.
func (i *Incidents) Count(
	ctx context.Context,
	project string,
	f engine.IncidentFilter,
	look int,
) (n int, capped bool, err error) {
	filter, err := filterText(f)
	if err != nil {
		return 0, false, err
	}
	if _, err := i.projects.ID(ctx, project); err != nil {
		return 0, false, err
	}
	row, err := i.db.Queries.IncidentCount(
		ctx,
		i.db.Pool,
		dbsqlc.IncidentCountParams{Project: project, Filter: filter, Walk: min(look, CountCap)},
	)
	return row.Fitting, row.Capped, err
}

// filterText returns a filter as plans and saved views store it, and as the database reads it.
func filterText(f engine.IncidentFilter) (string, error) {
	f.Before, f.Limit = "", 0
	if err := f.Validate(); err != nil {
		return "", err
	}
	f.OpenedAfter, f.OpenedBefore = f.OpenedAfter.UTC(), f.OpenedBefore.UTC() // Postgres reads fewer offsets than Go
	text, err := json.Marshal(f)
	return string(text), err
}
