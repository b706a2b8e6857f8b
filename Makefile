# Two targets matter: `make serve` (the web page) and `make test`. `make help` lists them all.
# Each makes what it needs: .venv, with uv installed into it by pip, then the pinned dependencies.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
HOST ?= 127.0.0.1
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve test test-databases nightly accuracy thresholds lint format bench docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.serving ## Make .venv with what serving needs (no torch)

setup-dev: $(VENV)/.development ## Make .venv with everything: training, tests, linters

serve: setup ## Serve the web page on http://127.0.0.1:8000 (HOST=, PORT=)
	$(BIN)/ecglens serve --host $(HOST) --port $(PORT)

test: setup-dev ## Run the tests and show the coverage
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

test-databases: setup-dev ## Run the web application's tests on PostgreSQL and MariaDB, where they answer
	ARGS="$(ARGS)" ./.ci/databases

nightly: setup-dev ## Run the tests that take many minutes
	$(BIN)/python -m pytest -m nightly $(ARGS)

accuracy: setup-dev ## Digitize, measure and classify a fixed set, and hold the figures against their floors
	$(BIN)/python benchmarks/accuracy.py $(ARGS)

thresholds: setup-dev ## Change each threshold by 30 % and list those that the accuracy set does not notice (hours)
	$(BIN)/python benchmarks/threshold_sweep.py $(ARGS)

lint: setup-dev ## Check style, types and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## Run the benchmarks and print their tables
	@for script in $(filter-out %/scoring.py %/threshold_sweep.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: setup-dev ## Make the pictures of the docs again
	@for script in docs/make_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "ecglens needs Python 3.11 to 3.13, but $(PYTHON) is %d.%d; set PYTHON=" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.serving: $(BIN)/uv pyproject.toml constraints.txt
	$(UV) --editable '.[web]'
	@touch $@

$(VENV)/.development: $(BIN)/uv pyproject.toml constraints.txt
	$(UV) --editable '.[web,plot,train,explain,keras,signal,table,batch,ocr,tensorboard,dev]'
	@touch $@ $(VENV)/.serving
