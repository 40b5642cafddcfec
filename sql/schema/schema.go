// Package schema contains the numbered migrations that make up the schema
// "sendpromptly": tables, views, indexes, and the few functions that these
// need. They carry goose annotations, so that a team may feed the same files to
// its own migration tool instead of calling engine.Migrate.
package schema

import "embed"

// Files are the migrations, applied in the order of their names. They only go
// forward, and an engine works on the schema of the next version.
//
//go:embed *.sql
var Files embed.FS
