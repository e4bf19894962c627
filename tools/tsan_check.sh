#!/usr/bin/env bash
# tsan_check.sh: what has threads, under the thread sanitizer (`./dev test tsan`): the server alone, whole nodes, and a
# rehearsal of which both sides are instrumented. Any report fails, whatever the test itself said.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=build/tsan
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
export TSAN_OPTIONS="halt_on_error=0 history_size=4 external_symbolizer_path=$(command -v addr2line) log_path=$data/report"
"$bin/tests/scenarios/net_scenarios_test"
"$bin/tests/scenarios/scenarios_test"
# Budgets are not held here, and are not asked.
"$bin/src/cli/footlight" rehearse --episode examples/tabletop.episode.yaml --cast 3 --audience 60 --seconds 12 \
  --data "$data/show" --json
if compgen -G "$data/report.*" >/dev/null; then
  cat "$data"/report.*
  echo "0 passed, 1 failed  (reports of the thread sanitizer)"
  exit 1
fi
echo "1 passed, 0 failed  (no report of the thread sanitizer)"
