# Every verb of the project. `make help` lists them.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check check-template test-emulator fuzz build deploy invoke bench schema clean

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := $(TARGET_DIR)/debug

JOB ?= examples/jobs/weather.yaml
DATA ?= examples/data
OUT ?= out
FUNCTION ?= transform
EVENT ?= examples/events/batch.json
BENCH ?=

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo '  make run JOB=FILE DATA=DIR OUT=DIR            other job, objects, output folder'
	@echo '  make bench BENCH="--megabytes 256 --json"       other size; --list names what is measured'
	@echo '  make invoke FUNCTION=transform EVENT=FILE     other function, event'

run: ## Runs a job on this machine: the whole state machine over DATA, output in OUT
	@echo 'Building mapmill and the functions (ten to fifteen minutes from cold on two cores) ...'
	@$(CARGO) build --package local --package plan --package report --package transform --bins
	@$(PROGRAMS)/mapmill run --job $(JOB) --data $(DATA) --out $(OUT)

test: ## Runs all tests: units, properties, end to end, peak memory
	$(CARGO) test --workspace --no-fail-fast

check: ## Checks format, lints, dependency arrows, file sizes and, where cargo-deny is installed, licences
	$(CARGO) fmt --all -- --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test --quiet --workspace --test architecture
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check licenses bans sources; \
	else echo 'cargo-deny is not installed (cargo install cargo-deny --locked); licences were not checked'; fi

check-template: ## Checks template.yaml with cfn-lint, sam validate and checkov
	@scripts/check-template.sh

test-emulator: ## Deploys template.yaml to an emulator of AWS that enforces its roles, and runs jobs there
	@scripts/test-emulator.sh

fuzz: ## Fuzzes every decoder, a minute each (FUZZ_SECONDS=60)
	@scripts/fuzz.sh

build: ## Builds the functions for Lambda, zipped, for arm64 and x86-64, in dist/, with lists of what is in them
	@source scripts/tools.sh && scripts/build.sh

deploy: ## Builds the functions and deploys them with sam deploy --guided; prints how to start a run
	@source scripts/tools.sh && ARCHITECTURE='$(ARCHITECTURE)' scripts/deploy.sh

invoke: ## Invokes FUNCTION with EVENT through cargo-lambda, on the objects of DATA
	@source scripts/tools.sh && scripts/invoke.sh $(FUNCTION) $(EVENT) $(DATA) $(OUT)

bench: ## Measures the record engine (see docs/performance.md)
	@$(CARGO) bench --profile measure --package engine-benches --bench table -- $(BENCH)

schema: ## Writes the JSON Schema of the job file anew
	UPDATE_SCHEMA=1 $(CARGO) test --quiet --package job

clean: ## Removes what was built and written
	$(CARGO) clean
	rm -rf out dist .tools .aws-sam
