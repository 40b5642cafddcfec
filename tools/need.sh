#!/bin/sh
# Installs those Debian packages among its arguments that are missing. On other systems, or without root, it prints the
# missing packages and fails.
set -eu

missing=
for package in "$@"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing packages, install them manually:$missing" >&2
  exit 1
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ apt-get update && apt-get install --yes --no-install-recommends $missing; } </dev/null >"$log" 2>&1 || { cat "$log" >&2 && exit 1; }
