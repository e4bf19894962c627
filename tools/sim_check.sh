#!/usr/bin/env bash
# sim_check.sh SEEDS: the simulation's smoke seeds, then every planted bug: each must be caught within 50 seeds.
set -uo pipefail
cd "$(dirname "$0")/.."
sim=build/release/tests/sim/footlight_sim
passed=0 failed=0
if "$sim" --seeds "$1" --start 1 --jobs "$(nproc)" --quiet; then passed=$1; else failed=1; fi
for bug in $("$sim" --list-bugs | awk '{print $1}'); do
  if "$sim" --seeds 50 --start 1 --jobs 1 --quiet --bug "$bug" --find >/dev/null 2>&1; then
    passed=$((passed + 1))
  else
    echo "planted bug not caught: $bug"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
