#!/usr/bin/env bash
# Runs the named make targets one after the other, says how long each took and stops at the first
# that fails (KEEP_GOING=1 goes on). The last line is the verdict.
set -euo pipefail
cd "$(dirname "$0")/.."

began=$SECONDS
passed=0
failed=()
for check in "$@"; do
  printf '==> %s\n' "$check"
  check_began=$SECONDS
  if make --no-print-directory "$check"; then
    passed=$((passed + 1))
    printf '==> %s: ok, %d s\n' "$check" $((SECONDS - check_began))
  else
    failed+=("$check")
    printf '==> %s: FAILED after %d s\n' "$check" $((SECONDS - check_began))
    [[ -n "${KEEP_GOING:-}" ]] || break
  fi
done

if ((${#failed[@]})); then
  printf 'FAILED: %s (%d of %d checks passed, %d s)\n' "${failed[*]}" "$passed" $# $((SECONDS - began))
  exit 1
fi
printf 'all %d checks passed in %d s\n' "$passed" $((SECONDS - began))
