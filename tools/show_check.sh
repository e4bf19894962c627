#!/usr/bin/env bash
# show_check.sh: a whole episode with a synthetic cast and audience over real sockets, then its log under every
# reader there is: verify, replay and export by the server's program, and the verifier that shares no code
# with it. Broken budgets are told but do not fail (no test asserts a time); broken promises do.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=build/release/src/cli/footlight
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
passed=0 failed=0
other_verifier() { node tools/verify/bin/footlight-verify.mjs "$1" >"$data/verifier.log" || { tail -n 20 "$data/verifier.log"; return 1; }; }
check() {
  local name=$1; shift
  if "$@"; then passed=$((passed + 1)); else echo "FAILED: $name"; failed=$((failed + 1)); fi
}
for episode in tabletop drama; do
  "$bin" check "examples/$episode.episode.yaml" || failed=$((failed + 1))
  "$bin" rehearse --episode "examples/$episode.episode.yaml" --cast 3 --audience 60 --seconds 12 \
    --data "$data/$episode" --json >"$data/report.json"
  cat "$data/report.json"
  promises() { [ "$(grep -c '"unit":"count"' "$data/report.json")" = 3 ] && ! grep '"unit":"count"' "$data/report.json" | grep -q '"holds":false'; }
  measured() { ! grep '"unit":"us"' "$data/report.json" | grep -q '"samples":0,'; }
  check "$episode: every event confirmed, every voter counted, every media session connected" promises
  check "$episode: every latency class was measured" measured
  heard_and_seen() { [ "$(grep -cE '"metric":"(voice|video)","unit":"us".*"samples":[0-9]{3,}' "$data/report.json")" = 2 ]; }
  check "$episode: voices were heard and pictures seen" heard_and_seen
  file=$data/$episode/$episode.episode
  check "$episode: verify" "$bin" verify "$file"
  check "$episode: replay" "$bin" replay "$file" >/dev/null
  check "$episode: export" "$bin" export "$file" --out "$data/$episode.jsonl"
  check "$episode: the other verifier" other_verifier "$data/$episode.jsonl"
  # One byte changed in the middle of the export must be found.
  python3 - "$data/$episode.jsonl" "$data/tampered.jsonl" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[2], "wb").write(data)
PY
  tampered() { ! node tools/verify/bin/footlight-verify.mjs "$data/tampered.jsonl" >/dev/null 2>&1; }
  check "$episode: a changed byte is found" tampered
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
