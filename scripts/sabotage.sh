#!/usr/bin/env bash
# Shows that the crash test finds what it is there for: plants one known bug after the other into a
# copy of the project, and expects the test to fail on each. The copy without a bug must pass.
#
# A bug is a patch in scripts/sabotage; its first lines say what it does. ROUNDS kills each.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-12}
work=target/sabotage
test=nothing_acknowledged_is_lost_doubled_or_reordered
export CARGO_TARGET_DIR=$PWD/target/sabotage/target CHASQUI_CRASH_ROUNDS=$rounds

crash_test() {
  (cd "$work/copy" && cargo test --quiet --test crash "$@")
}

fresh_copy() {
  rm -rf "$work/copy"
  mkdir -p "$work/copy"
  tar --create --exclude=./target --exclude=./.git . | tar --extract --directory "$work/copy"
  # Without this cargo may take an unpatched file of the last copy for unchanged.
  find "$work/copy/src" -name '*.rs' -exec touch {} +
}

missed=()
for bug in none scripts/sabotage/*.patch; do
  name=$(basename "$bug" .patch)
  fresh_copy
  if [[ "$bug" != none ]]; then
    patch --quiet --directory "$work/copy" --strip 1 <"$bug"
  fi
  echo "==> $name: building"
  # What does not compile must not count as found.
  crash_test --no-run
  log=$work/$name.log
  if crash_test -- --exact --nocapture "$test" >"$log" 2>&1; then verdict=passed; else verdict=failed; fi
  wanted=failed
  [[ "$bug" == none ]] && wanted=passed
  # It has to fail by what it found, not by falling over.
  summary=$(grep -m1 '^crash: .* taken back: ' "$log") || { verdict=broke; summary="see $log"; }
  echo "==> $name: $verdict, wanted: $wanted. ${summary#crash: }"
  [[ "$verdict" == "$wanted" ]] || missed+=("$name")
done

if ((${#missed[@]})); then
  echo "FAILED: ${missed[*]}"
  exit 1
fi
echo "every planted bug was found"
