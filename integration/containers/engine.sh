#!/usr/bin/env bash
# Starts a Docker engine if none answers, and prints what to export to reach it.
#   eval "$(engine.sh start FOLDER)"   the engine keeps everything in FOLDER, a short path because it contains sockets
#   engine.sh stop FOLDER              stops what start started; FOLDER may then be removed
# It changes no firewall rules: publishing ports on 127.0.0.1, its default here, needs none.
set -euo pipefail
action=${1:?start or stop} folder=${2:?a folder}
pidfile=$folder/dockerd.pid

start() {
  if docker version >/dev/null 2>&1; then
    return
  fi
  mkdir -p "$folder"
  export DOCKER_HOST=unix://$folder/docker.sock
  dockerd --host "$DOCKER_HOST" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$pidfile" \
    --iptables=false --ip6tables=false --ip 127.0.0.1 >"$folder/log" 2>&1 </dev/null &
  local engine=$!
  for _ in $(seq 300); do
    if docker version >/dev/null 2>&1; then
      # On a machine that is itself a container, testcontainers would use another host for the ports.
      echo "export DOCKER_HOST=$DOCKER_HOST TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1"
      return
    fi
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.1
  done
  echo "engine.sh: dockerd did not start: $(grep -E 'failed|error' "$folder/log" | tail -1)" >&2
  return 1
}

stop() {
  [ -s "$pidfile" ] || return 0
  local engine
  engine=$(cat "$pidfile")
  kill "$engine" 2>/dev/null || return 0
  for _ in $(seq 300); do
    kill -0 "$engine" 2>/dev/null || return 0
    sleep 0.1
  done
}

"$action"
