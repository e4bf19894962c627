#!/usr/bin/env bash
# fuzz_all.sh SECONDS [NAME]: each fuzz target (or one) on its corpus. New finds go to build/, crashes are
# printed with the command that repeats them.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=$1
passed=0 failed=0
for program in build/fuzz/tests/fuzz/*_fuzz; do
  name=$(basename "$program" _fuzz)
  [ -z "${2:-}" ] || [ "$2" = "$name" ] || continue
  corpus=tests/fuzz/corpus/$name
  [ -d "$corpus" ] || { echo "0 passed, 1 failed  ($name: no corpus at $corpus)"; failed=1; continue; }
  found=build/fuzz/found/$name
  mkdir -p "$found"
  found_any=yes
  if "$program" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=0 -verbosity=0 \
      -artifact_prefix="$found/crash-" "$found" "$corpus" >"$found.log" 2>&1; then
    echo "1 passed, 0 failed  ($name: $seconds s)"
  else
    echo "0 passed, 1 failed  ($name)"
    tail -n 40 "$found.log"
    echo "repeat: $program $found/crash-*"
    failed=1
  fi
done
[ -n "${found_any:-}" ] || { echo "0 passed, 1 failed  (no fuzz target ${2:-})"; failed=1; }
exit $failed
