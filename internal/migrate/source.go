package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/sendpromptly/sendpromptly/sql/functions"
	"github.com/sendpromptly/sendpromptly/sql/schema"
)

// defaultSchema is the name of the schema in all SQL of this repository. The
// roles' names and the keys of the advisory locks begin with it.
const defaultSchema = "sendpromptly"

// source is what one build installs: its steps in order, with the set of functions last.
type source struct {
	schema string
	steps  []Migration
	// lockTimeout is how long one statement waits for a locked table.
	lockTimeout string
}

// render replaces the default schema's name in a text. The format name that the chain hashes stays
// the same.
func (s source) render(sql string) string {
	const format, aside = defaultSchema + ".entry.v1", "\x00"
	sql = strings.ReplaceAll(sql, format, aside)
	return strings.ReplaceAll(strings.ReplaceAll(sql, defaultSchema, s.schema), aside, format)
}

// released is what this build installs.
var released = sync.OnceValues(func() (source, error) { return read(defaultSchema) })

// read builds the source from the embedded files.
func read(schemaName string) (source, error) {
	s := source{schema: schemaName, lockTimeout: "5s"}
	files, err := texts(schema.Files)
	if err != nil {
		return s, err
	}
	for _, f := range files {
		number, name, _ := strings.Cut(f.name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return s, fmt.Errorf("migration file %s.sql: want NUMBER_name.sql", f.name)
		}
		s.steps = append(s.steps, Migration{Version: version, Name: name, SQL: s.render(f.sql)})
	}
	if files, err = texts(functions.Files); err != nil {
		return s, err
	}
	var set strings.Builder
	for _, f := range files {
		set.WriteString(f.sql + "\n")
	}
	s.steps = append(s.steps, s.set(functions.Number, s.render(set.String())))
	return s, nil
}

type text struct{ name, sql string }

// texts reads the .sql files of a folder in the order of their names.
func texts(files fs.FS) ([]text, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var all []text
	for _, entry := range entries {
		body, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, text{strings.TrimSuffix(entry.Name(), ".sql"), string(body)})
	}
	return all, nil
}

// create is the head of a function in sql/functions: its name, arguments, result and settings.
var create = regexp.MustCompile(`(?ms)^CREATE OR REPLACE FUNCTION \w+\.(\w+)\(.*? AS (?:\$\$|')`)

// set builds the step that installs the functions in body. Whichever tool runs it, it refuses to
// replace a newer set. It drops the functions that the previous set kept for running calls; moves
// the functions whose head is not in this set, because CREATE OR REPLACE cannot change them; and
// records what it installed.
func (s source) set(number int, body string) Migration {
	var heads []string
	for _, found := range create.FindAllStringSubmatch(body, -1) {
		heads = append(heads, found[1]+":"+hash(found[0])[:16])
	}
	const frame = `-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
  v_function text;
BEGIN
  IF EXISTS (SELECT 1 FROM sendpromptly.migrations AS m WHERE m.version > %[1]d AND m.functions IS NOT NULL) THEN
    RAISE EXCEPTION 'a newer set of functions than %[1]d is installed';
  END IF;
  DROP SCHEMA IF EXISTS sendpromptly_before CASCADE;
  FOR v_function IN
    SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = 'sendpromptly'::regnamespace AND p.proname = ANY (ARRAY(
      SELECT pg_catalog.split_part(f, ':', 1) FROM sendpromptly.migrations AS m, pg_catalog.unnest(m.functions) AS f
      WHERE m.version = (SELECT max(n.version) FROM sendpromptly.migrations AS n WHERE n.functions IS NOT NULL)
        AND f <> ALL ('{%[2]s}')))
  LOOP
    CREATE SCHEMA IF NOT EXISTS sendpromptly_before;
    EXECUTE pg_catalog.format('ALTER FUNCTION %%s SET SCHEMA sendpromptly_before', v_function);
  END LOOP;
END
$$;
-- +goose StatementEnd

-- The functions name each other in any order.
SELECT pg_catalog.set_config('check_function_bodies', 'off', true);

%[3]s
INSERT INTO sendpromptly.migrations (version, name, hash, functions) VALUES (%[1]d, 'functions', '%[4]s',
  '{%[2]s}')
ON CONFLICT (version) DO UPDATE SET applied_at = excluded.applied_at, hash = excluded.hash, functions = excluded.functions;
`
	return Migration{
		Version: number,
		Name:    "functions",
		SQL:     fmt.Sprintf(s.render(frame), number, strings.Join(heads, ",\n    "), body, hash(body)),
		body:    body,
		hash:    hash(body),
	}
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
