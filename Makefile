# Everything a developer runs. Needs Python >= 3.11 and make; the rest is fetched, pinned by hash, into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first interpreter that runs, is new enough and can make an environment; `make PYTHON=...` names another.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c "$(USABLE)" >/dev/null 2>&1 && { echo $$name; break; }; done)

BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .bench-venv/.ready
PIP := -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(LOCK_FLAGS)

# $(call environment,DIRECTORY,LOCK): a working interpreter in DIRECTORY with exactly what LOCK pins.
define environment
	@test -n "$(PYTHON)" || { echo "Tipoff needs Python 3.11 or newer with venv; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c "$(USABLE)" || { echo "$(PYTHON) is older than Python 3.11, lacks venv, or does not run." >&2; exit 1; }
	@echo "Setting up $(1) from $(2); this takes about a minute, once."
	@$(1)/bin/python -c "$(USABLE)" 2>/dev/null || "$(PYTHON)" -m venv --clear $(1)
	@$(1)/bin/python $(PIP) install --require-hashes -r $(2)
endef

.PHONY: help setup demo test lint types bench lock clean

help: ## what there is to run
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv (the other targets do so themselves)

$(READY): requirements.lock pyproject.toml
	$(call environment,.venv,requirements.lock)
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_READY): requirements-bench.lock
	$(call environment,.bench-venv,requirements-bench.lock)
	@touch $@

demo: $(READY) ## replay the week of 13 to 19 January 2026
	@$(BIN)/python main.py demo

test: lint types ## lint, types, import contracts, then every test
	$(BIN)/python -m pytest

lint: $(READY) ## style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## mypy, strict
	$(BIN)/mypy

bench: $(BENCH_READY) ## measure against the peers, in an environment of their own
	.bench-venv/bin/python -m benchmarks

lock: $(READY) ## pin again after a change to pyproject.toml (LOCK_FLAGS=--upgrade for newer versions)
	@$(BIN)/python $(PIP) install uv
	$(LOCK) --extra cloud --extra dev --output-file requirements.lock pyproject.toml
	$(LOCK) --extra bench --constraint requirements.lock --output-file requirements-bench.lock pyproject.toml

clean: ## remove the environments and what tools left behind
	rm -rf .venv .bench-venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
