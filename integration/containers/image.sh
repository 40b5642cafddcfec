#!/usr/bin/env bash
# Makes sure that the image postgres:MAJOR exists locally for each argument: image.sh 15 17 18
# It is fetched if an image registry is reachable, and built from Debian's packages otherwise.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# The Debian release that packages this version.
release_of() {
  case $1 in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky ;;
    *) echo "image.sh: no Debian release has PostgreSQL $1: make it 15, 17 or 18" >&2 && return 1 ;;
  esac
}

make_image() {
  local major=$1 release base="sendpromptly-postgres-base:$1"
  release=$(release_of "$major")
  # The packages' set-up would create a cluster, which nobody needs. The signature of a release that is still in
  # development is not always renewed in time.
  mmdebstrap --quiet --variant=essential --include="postgresql-$major" \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
    --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
    "$release" - | docker import - "$base" >/dev/null
  # The engine's own builder, which every engine has.
  local said
  said=$(DOCKER_BUILDKIT=0 docker build --tag "postgres:$major" --build-arg "BASE=$base" --build-arg "MAJOR=$major" "$here" 2>&1) ||
    { echo "$said" >&2 && return 1; }
}

for major in "$@"; do
  if docker image inspect "postgres:$major" >/dev/null 2>&1; then
    echo "postgres:$major is here"
  elif timeout 180 docker pull --quiet "postgres:$major" >/dev/null 2>&1; then
    echo "postgres:$major fetched"
  else
    make_image "$major"
    echo "postgres:$major made from Debian's packages"
  fi
done
