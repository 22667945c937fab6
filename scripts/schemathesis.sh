#!/bin/sh
# Tests the REST API of a running server against its own document, with requests made up from it.
#
#   scripts/schemathesis.sh http://127.0.0.1:8080
#
# Exits 1 if the server answers anything that the document does not say, lets a bad request pass,
# refuses a good one or fails. The same seed makes the same requests, SCHEMATHESIS_EXAMPLES many per
# path. It registers accounts of its own and needs python3; what it installs and writes is in target.
# SCHEMATHESIS names an installed one to use instead.
set -eu

url=${1:?usage: scripts/schemathesis.sh URL}
version=4.32.5
scripts=$(cd "$(dirname "$0")" && pwd)
schemathesis=${SCHEMATHESIS:+$(realpath "$SCHEMATHESIS")}
mkdir -p "$scripts/../target/schemathesis"
cd "$scripts/../target/schemathesis"

if [ -z "$schemathesis" ]; then
    schemathesis=venv/bin/schemathesis
    if [ ! -e "venv/schemathesis-$version" ]; then
        python3 -m venv venv
        venv/bin/pip install --quiet --disable-pip-version-check "schemathesis==$version"
        touch "venv/schemathesis-$version"
    fi
fi

CHASQUI_URL=$url PYTHONPATH=$scripts PYTHONDONTWRITEBYTECODE=1 exec "$schemathesis" \
    --config-file "$scripts/schemathesis.toml" run "$url/openapi.json" \
    --phases examples,coverage,fuzzing,stateful \
    --max-examples "${SCHEMATHESIS_EXAMPLES:-100}" \
    --seed "${SCHEMATHESIS_SEED:-1}" \
    --request-timeout 30
