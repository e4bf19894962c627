#!/usr/bin/env bash
# generate.sh: writes the files that come from tables in the source. ./dev fmt calls it; tests check that they are current.
set -euo pipefail
cd "$(dirname "$0")/.."
codes=build/release/src/proto/codes/footlight_codes
"$codes" --markdown >docs/errors.md
"$codes" --typescript >sdk/src/codes.ts
FOOTLIGHT_WRITE_DOCS=1 build/release/src/edge/edge_test --gtest_brief=1
