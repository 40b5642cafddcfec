// Package testclock knows the databases of this process whose clock a test may move. In all other
// databases the engine refuses a replaced clock.
package testclock

import (
	"strings"
	"sync"
)

// body is the clock's source outside of tests.
const body = "SELECT pg_catalog.clock_timestamp()"

// Intact reports whether a database's clock has the original source, or a test may have moved it.
func Intact(source, database string) bool {
	_, allowed := allowed.Load(database)
	return allowed || strings.TrimSpace(source) == body
}

var allowed sync.Map

// Allow permits another clock in a database. Only enginetest calls it, for databases that it
// created.
func Allow(database string) { allowed.Store(database, true) }
