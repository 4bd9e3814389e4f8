# Everything a developer runs. Needs Python >= 3.11 and make; the rest is fetched, pinned by hash, into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first interpreter that runs, is new enough and can make an environment; `make PYTHON=...` names another.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c "$(USABLE)" >/dev/null 2>&1 && { echo $$name; break; }; done)

# The emulator of BigQuery runs on this one alone; `make bigquery PYTHON313=...` names another.
PYTHON313 ?= $(shell for name in python3.13 "$$(pyenv prefix 3.13 2>/dev/null)/bin/python" "$$(uv python find 3.13 \
	2>/dev/null)"; do "$$name" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))" \
	>/dev/null 2>&1 && { echo "$$name"; break; }; done)

# Tests that run side by side: one more than this project's smallest machine has cores, for many of them wait for others.
JOBS ?= 3
ROUNDS ?= 10

BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .bench-venv/.ready
BIGQUERY_READY := .bigquery-venv/.ready
PIP := -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(LOCK_FLAGS) --python-version

# $(call environment,DIRECTORY,LOCK): a working interpreter in DIRECTORY with exactly what LOCK pins.
define environment
	@test -n "$(PYTHON)" || { echo "Tipoff needs Python 3.11 or newer with venv; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c "$(USABLE)" || { echo "$(PYTHON) is older than Python 3.11, lacks venv, or does not run." >&2; exit 1; }
	@echo "Setting up $(1) from $(2); this takes about a minute, once."
	@$(1)/bin/python -c "$(USABLE)" 2>/dev/null || "$(PYTHON)" -m venv --clear $(1)
	@$(1)/bin/python $(PIP) install --require-hashes -r $(2)
endef

.PHONY: help setup demo test soak lint types bench bench-cloud bigquery lock clean

help: ## what there is to run
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv (the other targets do so themselves)

$(READY): requirements.lock pyproject.toml
	$(call environment,.venv,requirements.lock)
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_READY): requirements-bench.lock
	$(call environment,.bench-venv,requirements-bench.lock)
	@touch $@

# DuckDB's extensions come as packages; they are unpacked into a home of the emulator's own, for it starts offline.
$(BIGQUERY_READY): requirements-bigquery.lock
	@test -n "$(PYTHON313)" || { echo "BigQuery's emulator needs Python 3.13, and none was found." \
		"Install one, or name it: make bigquery PYTHON313=/path/to/python3.13" >&2; exit 1; }
	@echo "Setting up .bigquery-venv from requirements-bigquery.lock; this takes half a minute, once."
	@"$(PYTHON313)" -m venv --clear .bigquery-venv
	@.bigquery-venv/bin/python $(PIP) install --require-hashes -r requirements-bigquery.lock
	@mkdir -p .bigquery-venv/home
	@HOME="$(CURDIR)/.bigquery-venv/home" .bigquery-venv/bin/python -c "from duckdb_extensions import import_extension; \
		[import_extension(name) for name in ('icu', 'ducklake', 'spatial')]"
	@touch $@

bigquery: $(BIGQUERY_READY) ## the emulator of BigQuery, in an environment of its own, for the tests that need it

demo: $(READY) ## replay the week of 13 to 19 January 2026 (EMULATORS=1: by way of Google's emulators)
	@$(BIN)/python main.py demo $(if $(EMULATORS),--emulators)

test: lint types ## lint, types, import contracts, then every test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

soak: $(READY) ## many instances, killed at random, for as many rounds as ROUNDS says
	TIPOFF_REQUIRE_EMULATORS=1 TIPOFF_SOAK_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/test_many_instances.py

lint: $(READY) ## style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## mypy, strict
	$(BIN)/mypy

bench: $(BENCH_READY) ## measure against the peers, in an environment of their own
	.bench-venv/bin/python -m benchmarks

bench-cloud: $(READY) ## measure the service on Google's emulators against bare writes
	$(BIN)/python -m benchmarks.cloud

lock: $(READY) ## pin again after a change to pyproject.toml (LOCK_FLAGS=--upgrade for newer versions)
	@$(BIN)/python $(PIP) install uv
	$(LOCK) 3.11 --extra cloud --extra dev --output-file requirements.lock pyproject.toml
	$(LOCK) 3.11 --extra cloud --constraint requirements.lock --output-file requirements-image.lock pyproject.toml deploy/image.in
	$(LOCK) 3.11 --extra bench --constraint requirements.lock --output-file requirements-bench.lock pyproject.toml
	$(LOCK) 3.13 --output-file requirements-bigquery.lock requirements-bigquery.in

clean: ## remove the environments and what tools left behind
	rm -rf .venv .bench-venv .bigquery-venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
