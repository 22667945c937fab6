#!/usr/bin/env bash
# Runs the cases of kosoku against the server's own WebSocket code, at a path that echoes.
# Cases 12 and 13 are left out: they ask for permessage-deflate, which the protocol does without.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh
kosoku=$(realpath "$1")

build_server
CHASQUI_SERVER__ECHO=true start_server target/debug/chasqui serve --dev --listen 127.0.0.1:0

report=target/conformance
rm -rf "$report"
"$kosoku" "ws://${url#http://}/echo" --parallelism 4 --outdir "$report" \
  --exclude '12.*' --exclude '13.*'
python3 - "$report/index.json" <<'PY'
import collections, json, sys
cases = [case for agent in json.load(open(sys.argv[1])).values() for case in agent.values()]
tally = collections.Counter(case["behavior"] for case in cases)
print(f"{len(cases)} cases:", ", ".join(f"{n} {name}" for name, n in sorted(tally.items())))
PY
