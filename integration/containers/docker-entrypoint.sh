#!/bin/bash
# The same behaviour as the official image's script of this name, as far as our tests use it: POSTGRES_USER, POSTGRES_PASSWORD,
# POSTGRES_DB, the files in /docker-entrypoint-initdb.d, and a server that listens to the network.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chown postgres: "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$user" --pwfile=<(echo "${POSTGRES_PASSWORD:?}") --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  # The set-up runs on a server without network access, so it is complete for every client that can connect.
  pg_ctl start --wait -o '-c listen_addresses='
  run=(psql --username="$user" --no-psqlrc --set=ON_ERROR_STOP=1)
  [ "$database" = postgres ] || "${run[@]}" --dbname=postgres --set=name="$database" <<<'CREATE DATABASE :"name"'
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) bash "$file" ;;
      *.sql) "${run[@]}" --dbname="$database" --file="$file" ;;
    esac
  done
  pg_ctl stop --wait --mode=fast
fi
exec "$@"
