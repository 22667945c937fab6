#!/usr/bin/env bash
# Runs schemathesis against the REST door of a server of its own, by the OpenAPI document that this
# server serves.
#
# Fails if the server answers anything that the document does not say, lets a bad request pass,
# refuses a good one or fails itself. The same SCHEMATHESIS_SEED makes the same requests,
# SCHEMATHESIS_EXAMPLES many for each operation. It registers accounts of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh
schemathesis=$(realpath "$1")
scripts=$PWD/scripts

build_server
start_server target/debug/chasqui serve --dev --listen 127.0.0.1:0

# It leaves its reports where it runs.
mkdir -p target/schemathesis
cd target/schemathesis
CHASQUI_URL=$url PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1 "$schemathesis" \
  --config-file "$scripts/schemathesis.toml" run "$url/openapi.json" --url "$url" \
  --phases examples,coverage,fuzzing,stateful \
  --max-examples "${SCHEMATHESIS_EXAMPLES:-40}" --seed "${SCHEMATHESIS_SEED:-1}" \
  --request-timeout 30
