-- +goose Up
-- A migration of a later release, for the test.
CREATE TABLE sendpromptly.later (
  id integer PRIMARY KEY
);
INSERT INTO sendpromptly.migrations (version, name) VALUES (3, 'later');
