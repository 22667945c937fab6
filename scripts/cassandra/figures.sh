#!/usr/bin/env bash
# figures.sh: the same load on the embedded store and on the CQL server whose address is in CHASQUI_CQL, in
# turns; then the memory of idle connections on both. Prints a line for each run; the reports of
# swarm go to target/figures/cql.
#
#   CHASQUI_TURNS=3 CHASQUI_RATE=200 CHASQUI_IDLE=5000 scripts/cassandra/with.sh scripts/cassandra/figures.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${CHASQUI_TURNS:-3} rate=${CHASQUI_RATE:-200} idle=${CHASQUI_IDLE:-5000}
reports=target/figures/cql
mkdir -p "$reports"

# on BACKEND RUN COMMAND...: runs swarm on a new, empty store of that kind.
on() {
  local backend=$1 report=$reports/$1-$2
  shift 2
  (
    if [[ $backend == cql ]]; then
      export CHASQUI_STORE__BACKEND=scylla CHASQUI_SCYLLA__CONTACT_POINTS=$CHASQUI_CQL
      export CHASQUI_SCYLLA__KEYSPACE=figures_$(date +%s%N)
      target/release/chasqui schema apply --replication simple=1 >"$report.log" 2>&1
    fi
    target/release/swarm "$@" --json "$report.json" >"$report.txt" 2>&1 || { cat "$report.txt"; exit 1; }
  )
  printf '%s' "${report#"$reports/"}:"
  grep -E "^ +($figures) " "$report.txt" | tr -s ' \n' ' '
  echo
}

for ((turn = 1; turn <= turns; turn++)); do
  for backend in embedded cql; do
    figures='write_to_sent_p50_us|write_to_sent_p99_us|server_cpu_us_per_message|lost|duplicated'
    on $backend "open-$turn" run pairs --connections 200 --rate "$rate" --seconds 15
    figures='taken_per_second|write_to_sent_p50_us|write_to_sent_p99_us|lost|duplicated'
    on $backend "closed-$turn" run durable
  done
done
for backend in embedded cql; do
  figures='memory_bytes_per_connection|opening_cpu_us_per_connection'
  on $backend idle idle --from 1000 --to "$idle" --steps 2 --wait-seconds 30
done
