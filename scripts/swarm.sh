#!/usr/bin/env bash
# swarm.sh [SWARM]: runs the scenarios of swarm that are quick, each at a small size: a run fails if a message is
# lost, comes twice or out of order, or if nothing was sent. Reports go to target/swarm.
set -euo pipefail
cd "$(dirname "$0")/.."
swarm=${1:-target/release/swarm}
mkdir -p target/swarm

run() {
  local scenario=$1 began=$SECONDS
  shift
  if ! "$swarm" run "$scenario" --warm-up 0.5 --json "target/swarm/$scenario.json" "$@" \
    >"target/swarm/$scenario.txt" 2>&1; then
    cat "target/swarm/$scenario.txt"
    return 1
  fi
  printf '%-8s %2d s: %s\n' "$scenario" $((SECONDS - began)) \
    "$(grep -E '^  (acknowledged|delivered|cut|goaways|resyncs) ' "target/swarm/$scenario.txt" | xargs)"
}

run pairs --connections 200 --rate 500 --seconds 2
run pairs --tls --connections 100 --rate 200 --seconds 2
run group --connections 100 --members 20 --rate 100 --seconds 2
run storm --connections 400 --rate 400 --seconds 2
run storm --connections 400 --cut-share 0.8 --rate 400 --seconds 2
grep -q '  spared_due_to_sent_p99_us ' target/swarm/storm.txt
run slow --connections 10 --rate 200 --bytes 16000 --seconds 3
run drain --connections 100 --rate 200 --seconds 4
python3 scripts/figures.py --check
