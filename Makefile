# `make test` is everything that must hold before a change lands. Each step is a target of its own.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := target/venv
TOOLS := target/tools
CARGO_FUZZ := $(TOOLS)/bin/cargo-fuzz
CARGO_FUZZ_VERSION := 0.13.2
FUZZ_SECONDS ?= 60
export CHASQUI_CRASH_ROUNDS ?= 50

CHECKS := fmt lint doc tidy unit integration crash tour api conformance k6 gates fuzz manifests

.PHONY: help test run $(CHECKS) sabotage idle durable resume device setup

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Install what the tests need and run every check below, with a summary
	@scripts/checks.sh $(CHECKS)

run: ## Start a server with a temporary store and two demo accounts
	cargo run --release -- serve --dev

fmt: ## Source is formatted
	cargo fmt --all --check

lint: ## Clippy on every target and feature, warnings denied
	cargo clippy --all-targets --all-features --quiet -- -D warnings

doc: ## Documentation builds, its links resolve
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet

tidy: ## The rules of structure and style that no lint knows
	cargo test --quiet --test tidy

unit: ## Unit tests, the store's conformance suite, doc tests
	cargo test --quiet --lib
	cargo test --quiet --doc

integration: ## Every other test: a real server through both doors, vectors, generated files
	cargo test --quiet $$(scripts/test_targets.sh tidy crash)

crash: ## Kill a loaded server CHASQUI_CRASH_ROUNDS times; nothing acknowledged may be lost
	cargo test --quiet --test crash -- --nocapture

tour: ## A whole session with curl alone
	scripts/tour.sh

api: $(VENV)/.installed ## Property-based requests against the REST door by its own OpenAPI document
	scripts/api.sh $(VENV)/bin/schemathesis

conformance: $(VENV)/.installed ## RFC 6455 conformance of the WebSocket door
	scripts/conformance.sh $(VENV)/bin/kosoku

k6: $(VENV)/.installed client/node_modules/.installed ## The TypeScript codec by its vectors, the scenarios of k6 that are quick
	scripts/k6.sh $(VENV)/bin/k6

fuzz: $(CARGO_FUZZ) ## Fuzz the decoders for FUZZ_SECONDS in all
	PATH="$(abspath $(TOOLS)/bin):$$PATH" scripts/fuzz.sh $(FUZZ_SECONDS)

manifests: $(VENV)/.installed ## The compose file parses
	$(VENV)/bin/python scripts/manifests.py docker-compose.yml

gates: ## Instructions, allocations and bytes of a message stay within gates/limits.toml
	@command -v valgrind >/dev/null || apt-get install --yes --quiet valgrind >/dev/null || \
		{ echo "valgrind is missing and could not be installed: install it"; exit 1; }
	cargo build --quiet --release --features testing --bin gates
	target/release/gates

sabotage: ## Plant known bugs one by one; the crash test must find each
	scripts/sabotage.sh

idle durable resume device: ## Measure: memory of an idle connection; durable sends a second; catching up; bytes written
	cargo build --release --features loadtest --bins
	target/release/loadtest $@

setup: $(VENV)/.installed client/node_modules/.installed $(CARGO_FUZZ) ## Install the test tools only

$(VENV)/.installed: scripts/requirements.txt
	@echo "installing the Python test tools into $(VENV)"
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

client/node_modules/.installed: client/package.json client/package-lock.json
	@echo "installing the TypeScript compiler into client/node_modules"
	cd client && npm ci --silent --no-audit --no-fund
	touch $@

$(CARGO_FUZZ):
	@echo "installing cargo-fuzz $(CARGO_FUZZ_VERSION) into $(TOOLS)"
	cargo install --quiet --locked --root $(TOOLS) cargo-fuzz@$(CARGO_FUZZ_VERSION)
