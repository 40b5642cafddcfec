package migrate

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Grants creates the missing roles and grants all roles their privileges again; repeating it is
// harmless. It is for a database whose roles could not be created with the schema, or are missing
// after a restore. It returns the roles that it could not create.
func Grants(ctx context.Context, pool *pgxpool.Pool) (missing []string, err error) {
	s, err := released()
	if err != nil {
		return nil, err
	}
	return s.grantAgain(ctx, pool)
}

func (s source) grantAgain(ctx context.Context, pool *pgxpool.Pool) (missing []string, err error) {
	pending, err := s.pending(ctx, pool)
	if err != nil {
		return nil, err
	}
	if len(pending) > 0 {
		return nil, fmt.Errorf("%s is pending: run spadmin migrate up, which grants too", pending[0])
	}
	err = s.locked(ctx, pool, func(tx pgx.Tx) error {
		if err := run(ctx, tx, s.grants()); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT r FROM unnest($1::text[]) AS u(r) WHERE to_regrole(r) IS NULL`, s.roles())
		if err != nil {
			return err
		}
		missing, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return missing, err
}

// roles are the roles that the files grant privileges to.
func (s source) roles() []string {
	var roles []string
	for _, name := range []string{"app", "engine", "operator"} {
		roles = append(roles, s.schema+"_"+name)
	}
	return roles
}

// grants returns the files' GRANT statements in order.
func (s source) grants() string {
	set := s.steps[len(s.steps)-1]
	call := regexp.MustCompile(`(?ms)^SELECT ` + regexp.QuoteMeta(s.schema) + `\.allow\(.*?\);$`)
	return strings.Join(call.FindAllString(set.SQL, -1), "\n")
}
