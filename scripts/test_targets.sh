#!/usr/bin/env bash
# Prints `--test NAME` for every integration test but those named, so that a new one is never
# forgotten.
set -euo pipefail
cd "$(dirname "$0")/.."

for path in tests/*.rs tests/*/main.rs; do
  name=${path#tests/}
  name=${name%/main.rs}
  name=${name%.rs}
  [[ " $* " == *" $name "* ]] || printf -- '--test %s ' "$name"
done
