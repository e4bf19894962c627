#!/usr/bin/env bash
# run_demo.sh EPISODE: serves the episode with fixed development keys, and a synthetic cast and audience that
# play it over and over until stopped; the cast with voice and picture. Called by ./dev run.
# PROGRAM=false: without the program stream, which takes a core. CAST, AUDIENCE: how many; WATCHERS: how many of them receive the media, to no end but to be measured.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=build/release/src/cli/footlight
port=${PORT:-8080}
data=${DATA:-data}
"$bin" serve --dev --episode "$1" --data "$data" --port "$port" --static web/dist --set "program.enabled=${PROGRAM:-true}" &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  "$bin" doctor --url "http://127.0.0.1:$port" --quiet 2>/dev/null && break
  kill -0 $server 2>/dev/null || exit 1
  sleep 0.1
done
# Who answered may be another server, on a port that ours did not get: ours has said so and ended by now.
sleep 0.5
kill -0 $server 2>/dev/null || exit 1
"$bin" rehearse --url "http://127.0.0.1:$port" --dev --episode "$1" --cast "${CAST:-3}" --audience "${AUDIENCE:-100}" \
  --watchers "${WATCHERS:-0}" --loop
