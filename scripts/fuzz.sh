#!/usr/bin/env bash
# Fuzzes every target on the stable toolchain (no sanitizer), SECONDS in all, from its committed
# corpus. What it finds new stays in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo_fuzz=$(realpath "$1")
seconds=$2

mapfile -t targets < <("$cargo_fuzz" fuzz list)
((${#targets[@]})) || { echo "no fuzz targets" >&2; exit 1; }
each=$((seconds / ${#targets[@]}))
for target in "${targets[@]}"; do
  found="target/fuzz-corpus/$target"
  mkdir -p "$found"
  "$cargo_fuzz" fuzz run --sanitizer none "$target" "$found" "fuzz/corpus/$target" \
    -- -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1
done
