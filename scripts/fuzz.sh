#!/bin/sh
# Fuzzes the decoder and the session for SECONDS in all; fails on a crash.
#
# usage: scripts/fuzz.sh SECONDS
#
# New inputs go to a scratch folder beside the build, so that a run leaves the committed corpus as
# it is. Runs on the stable toolchain, hence without a sanitizer.
set -eu

seconds=${1:?usage: scripts/fuzz.sh SECONDS}
each=$(((seconds + 1) / 2))
cd "$(dirname "$0")/.."

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --version 0.13.2 --locked
fi

for target in decoder session; do
    found=fuzz/target/found/$target
    mkdir -p "$found"
    cargo fuzz run "$target" --sanitizer none "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$each" -max_len=4096 -timeout=5 -print_final_stats=1
done
