// Package functions contains the current version of every SQL function, one
// file per concept, each with its grants. To find a definition, run
// `grep -r "FUNCTION sendpromptly.NAME("`. The functions that a view, an index or
// the first rows of a table need are in the migrations instead, and keep their
// signature.
package functions

import "embed"

// Files are the parts of the set. They are installed together, in one
// transaction and in the order of their names, which matters only for
// zz_rights.sql: it grants the rights that concern the whole schema.
//
//go:embed *.sql
var Files embed.FS

// Number is the set's place among the migrations: always above the last one of
// sql/schema, so that one number is a database's version. A release that
// changes a function or adds a migration takes the next free number for the set:
// after migration 1 and set 2 come migration 3 and set 4, or set 3 alone. Until
// the first release both are changed in place.
const Number = 2
