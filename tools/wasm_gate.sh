#!/bin/sh
# Builds core, proto and gate for wasm32-wasi and runs their golden vectors inside it under Node's WASI.
#   tools/wasm_gate.sh [BUILD_DIR]      default build/wasm; prints the module's size and "N passed, N failed"
# Needs: clang-19 lld-19 libc++-19-dev-wasm32 libc++abi-19-dev-wasm32 libclang-rt-19-dev-wasm32 wasi-libc nodejs
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/wasm}
mkdir -p "$out"
flags="--target=wasm32-wasi -std=c++23 -Oz -flto -fno-exceptions -fno-rtti -ffunction-sections
  -fdata-sections -DNDEBUG -Wall -Wextra -Wno-missing-field-initializers -Isrc"
objects=
stale=
for source in src/core/*.cc src/proto/*.cc src/proto/internal/*.cc src/gate/*.cc \
              src/gate/wasm/facade.cc src/gate/wasm/abi.cc; do
  case $source in *_test.cc) continue ;; esac
  object=$out/$(echo "$source" | tr / _ | sed 's/\.cc$/.o/')
  objects="$objects $object"
  # Any header may have changed: an object stands only when nothing below src/{core,proto,gate} is newer.
  if [ ! -f "$object" ] || [ -n "$(find src/core src/proto src/gate tools/wasm_gate.sh \
       -newer "$object" \( -name '*.h' -o -path "$source" -o -name wasm_gate.sh \) -print -quit)" ]; then
    stale="$stale $source $object"
  fi
done
if [ -n "$stale" ]; then
  ccache=$(command -v ccache || true)
  # shellcheck disable=SC2086
  printf '%s %s\n' $stale | xargs -P "$(nproc)" -L 1 sh -c "$ccache clang++-19 $(echo $flags) -c \"\$0\" -o \"\$1\""
fi
if [ -n "$stale" ] || [ ! -f "$out/gate.wasm" ]; then
  # shellcheck disable=SC2086
  clang++-19 $flags -mexec-model=reactor -Wl,--gc-sections -Wl,--strip-all \
    -Wl,-z,stack-size=262144 -o "$out/gate.wasm" $objects
fi
printf 'gate.wasm %s bytes, %s gzipped\n' "$(wc -c < "$out/gate.wasm")" \
  "$(gzip -9 -c "$out/gate.wasm" | wc -c)"
exec node --no-warnings src/gate/wasm/run_golden.mjs "$out/gate.wasm"
