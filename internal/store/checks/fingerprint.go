package checks

import (
	"context"
	_ "embed" // the fingerprint
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

//go:generate go test -count=1 -run=TestTheReleasedFingerprint . -update

// released is the schema that the migrations create, one line for each function with its source's
// hash, each column and each index. A test keeps it up to date.
//
//go:embed schema.txt
var released string

func expectedSchema() []string {
	lines := strings.Split(strings.TrimSpace(released), "\n")
	slices.Sort(lines)
	return lines
}

// fingerprint returns the database's schema in the same form, sorted.
func fingerprint(ctx context.Context, q *dbsqlc.Queries, db dbsqlc.DBTX) ([]string, error) {
	lines, err := q.SchemaFingerprint(ctx, db)
	slices.Sort(lines)
	return lines, err
}
