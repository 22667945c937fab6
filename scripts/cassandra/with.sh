#!/usr/bin/env bash
# with.sh COMMAND...: runs a command with a new server of Apache Cassandra, and ends the server with
# it. The command finds the server's address in CHASQUI_CQL, its files in CHASQUI_CQL_FILES.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

"$here/install.sh"
dir=$(mktemp -d)
finish() {
  local status=$?
  if ((status)); then
    echo "last lines of Cassandra's log:" >&2
    tail -n 20 "$dir/log/system.log" >&2 || true
  fi
  # Its data is not wanted any more, so there is nothing to end cleanly.
  "$here/node.sh" kill "$dir"
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

THROWAWAY=true "$here/node.sh" start "$dir"
CHASQUI_CQL=$("$here/node.sh" wait "$dir")
export CHASQUI_CQL CHASQUI_CQL_FILES=$dir
"$@"
