// Package testclock remembers in which databases of this process time travel
// is allowed. Everywhere else the engine refuses a clock that was replaced.
package testclock

import (
	"strings"
	"sync"
)

// body is the only clock outside of tests.
const body = "SELECT pg_catalog.clock_timestamp()"

// Intact says whether a database's clock, by its source, is Postgres's own or
// one that a test was allowed to set.
func Intact(source, database string) bool {
	_, allowed := allowed.Load(database)
	return allowed || strings.TrimSpace(source) == body
}

var allowed sync.Map

// Allow lets a database have another clock. Only enginetest calls it, for
// databases that it created.
func Allow(database string) { allowed.Store(database, true) }
