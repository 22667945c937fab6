#!/usr/bin/env bash
# Runs the golden vectors under k6, and then its smoke and onboarding scenarios against a server of its
# own. Their types are checked by `make client`.
#
# Reports of the scenarios go to target/k6.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh
k6=$(realpath "$1")
export K6_NO_USAGE_REPORT=true K6_WEB_DASHBOARD_PORT=-1

# Without an address k6 opens no port of its own.
run() {
  "$k6" run --quiet --address '' "loadtest/k6/$1.ts"
}

run vectors
build_server
start_server target/debug/chasqui serve --dev --listen 127.0.0.1:0
mkdir -p target/k6
for scenario in smoke onboarding; do
  CHASQUI_URL=$url CHASQUI_SUMMARY=target/k6/$scenario.summary.json run "$scenario"
done
