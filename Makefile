# Everything a person types. Each target sets up what it needs; nothing is installed outside this folder.

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
# The machine's own Python, any from 3.11.
PYTHON3 ?= python3

# Where this is set, every process compiles every module again: the commands start in half the time without it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-fast test-deep check bench soak explore format lock clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make the virtual environment with the locked dependencies

$(READY): requirements-dev.lock pyproject.toml
	@echo "setting up $(VENV) with the locked dependencies (once)"
	@test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## run the main job on this machine: native files in, alerts out
	@$(VENV)/bin/broker demo $(ARGS)

test: test-fast  ## run the tests, with a real Kafka; left out: the long property tests (test-deep), measurements (bench)
	@$(PYTHON) -m pytest --numprocesses auto -m "search and not kafka and not benchmark and not deep" $(ARGS)
	@$(PYTHON) -m pytest -m "kafka and not benchmark and not deep" $(ARGS)

test-fast: $(READY)  ## run the tests that need neither Kafka nor a search through many cases
	@$(PYTHON) -m pytest --numprocesses auto -m "not kafka and not search and not benchmark and not deep" $(ARGS)

test-deep: $(READY)  ## run the long property tests
	@$(PYTHON) -m pytest -m "deep" $(ARGS)

check: $(READY)  ## lint, types, architecture rules, schemas, policy
	@$(VENV)/bin/ruff format --check --quiet . || (echo "formatting differs: run make format"; exit 1)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(VENV)/bin/broker schemas check
	@$(VENV)/bin/broker policy check
	@$(VENV)/bin/broker policy test

bench: $(READY)  ## measure against rivals in the same run; one JSON object per line
	@$(PYTHON) -m tests.benchmarks $(ARGS)

soak: $(READY)  ## run with faults: make soak SECONDS=120 KILLS=10
	@$(PYTHON) -m tests.soak --seconds $(or $(SECONDS),120) --kills $(or $(KILLS),10) $(ARGS)

explore: $(READY)  ## explore crash schedules of the chunk protocol: make explore N=10000 [SEED=1]
	@$(PYTHON) -m tests.explore --schedules $(or $(N),10000) $(if $(SEED),--seed $(SEED))

format: $(READY)  ## format the code
	@$(VENV)/bin/ruff format --quiet .
	@$(VENV)/bin/ruff check --quiet --fix .

lock: $(READY)  ## renew the lock files from pyproject.toml
	@$(PYTHON) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra embedded -o requirements.lock pyproject.toml
	@$(PYTHON) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra embedded --extra dev -o requirements-dev.lock pyproject.toml

clean:  ## remove what the targets made
	rm -rf $(VENV) .cache demo-area dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
