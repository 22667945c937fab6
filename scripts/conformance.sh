#!/usr/bin/env bash
# Runs every kosoku case against an echo endpoint that is built on the server's own WebSocket code.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh
kosoku=$(realpath "$1")

cargo build --quiet --example echo
start_server target/debug/examples/echo --listen 127.0.0.1:0

report=target/conformance
rm -rf "$report"
"$kosoku" --mode fuzzingclient --parallelism 4 --outdir "$report" "${url#http://}"
python3 - "$report/index.json" <<'PY'
import collections, json, sys
cases = [case for agent in json.load(open(sys.argv[1])).values() for case in agent.values()]
tally = collections.Counter(case["behavior"] for case in cases)
print(f"{len(cases)} cases:", ", ".join(f"{n} {name}" for name, n in sorted(tally.items())))
PY
