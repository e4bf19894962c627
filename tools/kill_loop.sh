#!/usr/bin/env bash
# kill_loop.sh ROUNDS: kill -9 of the real server under load, over and over on one data directory; nothing
# that was confirmed may be lost. The whole of it is one program, tests/scenarios/kill_loop.
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/release/tests/scenarios/kill_loop build/release/src/cli/footlight examples/drama.episode.yaml "$1"
