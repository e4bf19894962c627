#!/usr/bin/env bash
# kill_loop.sh ROUNDS: kill -9 of the real server under load, over and over on one data directory; nothing
# that was confirmed may be lost. First its events (tests/scenarios/kill_loop), then its boards, killed while one is
# compacted (kill_boards).
set -euo pipefail
cd "$(dirname "$0")/.."
build/release/tests/scenarios/kill_loop build/release/src/cli/footlight examples/drama.episode.yaml "$1"
build/release/tests/scenarios/kill_boards build/release/src/cli/footlight "$1"
