#!/usr/bin/env bash
# fuzz_all.sh SECONDS [NAME]: each fuzz target on its corpus, one per core at a time, from one seed, so that a tree
# that passed passes again; or one target from a seed of its own. New finds go to build/; a crash is printed with its
# input and the command that repeats it.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=$1

one() {  # PROGRAM: prints one line that counts, and the end of the log when it failed
  local program=$1 name corpus found
  name=$(basename "$program" _fuzz)
  corpus=tests/fuzz/corpus/$name
  found=build/found/$name
  [ -d "$corpus" ] || { echo "0 passed, 1 failed  ($name: no corpus at $corpus)"; return 1; }
  mkdir -p "$found"
  if "$program" -seed="$seed" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=0 -verbosity=0 \
      -artifact_prefix="$found/crash-" "$found" "$corpus" >"$found.log" 2>&1; then
    echo "1 passed, 0 failed  ($name: $seconds s)"
  else
    printf '0 passed, 1 failed  (%s)\n%s\n' "$name" "$(tail -n 40 "$found.log")"
    find "$found" -name 'crash-*' -size -8k -newer "$program" -exec sh -c 'echo "input (base64): $(base64 -w 0 "$1")"' _ {} \;
    echo "repeat: $program $found/crash-*"
    return 1
  fi
}
export -f one
export seconds
export seed=$([ $# -gt 1 ] && echo 0 || echo 1)  # 0: libFuzzer takes one of its own

programs=(build/asan-ubsan/tests/fuzz/${2:-*}_fuzz)
[ -x "${programs[0]}" ] || { echo "0 passed, 1 failed  (no fuzz target ${2:-})"; exit 1; }
printf '%s\0' "${programs[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'one "$0"'
