package incidents

import (
	"context"
	"encoding/json"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// QuickCount is a look of [Incidents.Count] that takes a page no longer than
// its list does. [CountCap] is the longest.
const QuickCount = 10_000

// Count counts the incidents that a filter selects; capped says that
// there may be more. It looks at no more than the newest look incidents where
// the filter asks for state, cause and time only. Otherwise it looks at the
// newest 10,000, and stops when a tenth of look fit. So it is as fast in a
// million as in a thousand.
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

// filterText is a filter as plans and saved views keep it, and as the database reads it.
func filterText(f engine.IncidentFilter) (string, error) {
	f.Before, f.Limit = "", 0
	if err := f.Validate(); err != nil {
		return "", err
	}
	f.OpenedAfter, f.OpenedBefore = f.OpenedAfter.UTC(), f.OpenedBefore.UTC() // Postgres reads fewer offsets than Go
	text, err := json.Marshal(f)
	return string(text), err
}
