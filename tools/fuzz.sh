#!/usr/bin/env bash
# fuzz.sh DURATION runs every fuzz test of this module for DURATION, one after another, and continues when one fails. The
# failing input is then below testdata/fuzz beside the test, and every run of the tests repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
found=$(go env GOCACHE)/fuzz # where go test -fuzz stores interesting inputs
failed=()

# fuzz FOLDER NAME DURATION. Go before 1.27 sometimes reports the end of the time as a failure without an input
# (go.dev/issue/75804). Such a run is repeated.
fuzz() {
  for _ in 1 2 3; do
    (cd "$1" && "$scratch/tests" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$3" -test.fuzzcachedir "$found/$(go list .)") |
      tee "$scratch/log" && return
    grep -qE '^ +context deadline exceeded$' "$scratch/log" || return 1
    ! grep -q 'Failing input' "$scratch/log" || return 1
  done
  return 1
}

# The packages with a fuzz test, without those of the nested modules. Each is compiled once.
folders=$(grep -rl --include='*_test.go' --exclude-dir=integration --exclude-dir=tools '^func Fuzz' . | xargs -n1 dirname | sort -u)
for folder in $folders; do
  go test -c -fuzz . -o "$scratch/tests" "$folder"
  names=$(cd "$folder" && "$scratch/tests" -test.list '^Fuzz')
  for name in $names; do
    echo "== $folder $name"
    fuzz "$folder" "$name" "$1" || failed+=("$folder $name")
  done
done
[ "${#failed[@]}" -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" && exit 1; }
