#!/usr/bin/env bash
# Two clients in Python, written from docs/client-spec.md, write to each other through a server that is
# killed and restored: nothing may be lost, doubled or out of order.
#
#   scripts/second_client.sh [SEED]
#
# CHASQUI_BIN names a server to use instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh

find_server
PYTHONDONTWRITEBYTECODE=1 python3 tests/second_client/run.py "$CHASQUI_BIN" "$@"
