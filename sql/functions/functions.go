// Package functions holds every SQL function as it is now, a file a concept,
// each with its grants: where one is defined, `grep -r "FUNCTION sendpromptly.NAME("`
// finds once. Those that a view, an index or the first rows of a table need
// stand in the migrations instead, and keep their signature.
package functions

import "embed"

// Files are the parts of the set. They are installed together, in one
// transaction and in the order of their names, which matters only for
// zz_rights.sql: it grants what concerns the whole schema.
//
//go:embed *.sql
var Files embed.FS

// Number is the set's place among the migrations: always above the last one of
// sql/schema, so that one number says where a database stands. A release that
// changes a function or adds a migration takes the next free number for the set:
// after migration 1 and set 2 come migration 3 and set 4, or set 3 alone. Until
// the first release both are changed in place.
const Number = 2
