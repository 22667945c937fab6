#!/usr/bin/env bash
# checks.sh: everything that runs on the one CQL server whose address is in CHASQUI_CQL: the store, copies
# of stores, whole servers.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo test --quiet --lib store::scylla -- --ignored --test-threads 4
# Apart: these keep the database busy, and the tests above wait for it with short patience.
cargo test --quiet --lib shard::tests::on_cql -- --ignored --test-threads 2
cargo test --quiet --test store_copy -- --ignored --test-threads 1
cargo test --quiet --test it -- parity smoke scenarios::chats scenarios::accounts scenarios::resume --test-threads 2
cargo test --quiet --test it statements -- --ignored
CHASQUI_CRASH_ROUNDS=${CHASQUI_CQL_CRASH_ROUNDS:-5} cargo test --quiet --test crash -- --nocapture
