package checks

import (
	"context"
	_ "embed" // the fingerprint
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

//go:generate go test -count=1 -run=TestTheReleasedFingerprint . -update

// released is the schema as its migrations make it, a line each: every
// function with its source's hash, column and index. A test keeps it true.
//
//go:embed schema.txt
var released string

func expectedSchema() []string {
	lines := strings.Split(strings.TrimSpace(released), "\n")
	slices.Sort(lines)
	return lines
}

// fingerprint describes the database's schema in the same form, sorted.
func fingerprint(ctx context.Context, q *dbsqlc.Queries, db dbsqlc.DBTX) ([]string, error) {
	lines, err := q.SchemaFingerprint(ctx, db)
	slices.Sort(lines)
	return lines, err
}
