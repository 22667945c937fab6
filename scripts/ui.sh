#!/usr/bin/env bash
# Checks the pages: types, weight, whether what is committed is what the sources make; then what they do, in
# Chromium before a server of their own (CHASQUI_BIN, else the debug build).
#
# Screenshots go to target/ui/screenshots.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/server.sh

command -v chromium >/dev/null || apt-get install --yes --quiet chromium >/dev/null || {
  echo "chromium is missing and could not be installed: install it"
  exit 1
}
(cd ui && npm run --silent check && npm run --silent compare && npm run --silent tests)
find_server
node --test --test-reporter spec --test-concurrency 2 ui/.tests/
