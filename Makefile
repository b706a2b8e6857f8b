# Two targets matter: `make serve` (the web page) and `make test`. `make help` lists them all.
# Each makes what it needs: .venv, with uv installed into it by pip, then the pinned dependencies.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is compiled once at the installation, so that the first start is as fast as the second.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt
HOST ?= 127.0.0.1
PORT ?= 8000

# Where `make language` looks.
LANGUAGE_PATHS := .ci .github README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md benchmarks docs examples recipes src tests

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve test test-fast coverage test-databases nightly lint language accuracy thresholds audit release \
  constraints format bench docs pictures clean
# Without compiled files each of the many processes of the tests would compile torch and all others again.
unexport PYTHONDONTWRITEBYTECODE
# Each test process has one core, so that the processes do not wait for each other's threads.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal
FAST := tests/ci tests/datasets tests/evaluation tests/external_validation tests/formats tests/leads tests/measuring \
  tests/pages tests/printed tests/render tests/tracing tests/test_explanations.py tests/test_imports.py \
  tests/test_reading.py tests/test_tables.py

# Packages that the fast tests cover without the others' help.
COVERED := criteria formats leads measuring pages printed render tracing
MEASURE_COVERAGE := $(COVERED:%=--cov=ecglens.%) --cov-report=term

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.serving ## Make .venv with what serving and reading need (no torch)

setup-dev: $(VENV)/.development ## Make .venv with everything: training, tests, linters

serve: setup ## Serve the web page on http://127.0.0.1:8000 (HOST=, PORT=)
	$(BIN)/ecglens serve --host $(HOST) --port $(PORT)

test: setup-dev ## Run the tests (COVERAGE=1: with the branch coverage of the packages that read pages, held against its floor)
	$(PYTEST) --durations=20 $(if $(COVERAGE),$(MEASURE_COVERAGE)) $(ARGS)

test-fast: setup-dev ## Run the tests of reading pages, without those that are slow, in less than a minute
	$(PYTEST) -m "not nightly and not slow and not shared" $(ARGS) $(FAST)

coverage: setup-dev ## Run the same as test-fast with branch coverage of the packages that it tests, and hold that against its floor
	$(PYTEST) -m "not nightly and not slow and not shared" $(MEASURE_COVERAGE) $(FAST)

test-databases: $(VENV)/.mysql ## Run the web application's tests on PostgreSQL and MariaDB, where they answer
	ARGS="$(ARGS)" ./.ci/databases

nightly: setup-dev ## Run the tests that take many minutes, then change each threshold (hours)
	$(BIN)/python -m pytest -m nightly $(ARGS)
	$(MAKE) --no-print-directory thresholds

accuracy: setup-dev ## Digitize, measure and classify a fixed set, and hold the figures against their floors
	$(BIN)/python benchmarks/accuracy.py $(ARGS)

thresholds: setup-dev ## Change each threshold by 30 % and list those that the accuracy set does not notice (hours)
	$(BIN)/python benchmarks/threshold_sweep.py $(ARGS)

lint: setup-dev ## Check style, types, the order of the packages, spelling and plain English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory language

language: setup-dev ## Check spelling and plain English where LANGUAGE_PATHS says
	$(BIN)/codespell $(LANGUAGE_PATHS)
	$(BIN)/python .ci/check_language.py --paths $(LANGUAGE_PATHS)

audit: $(VENV)/.release ## Check the pinned versions for hashes and known vulnerabilities
	$(BIN)/python .ci/audit

release: $(VENV)/.release ## Build the packages into dist/ and try the wheel in an environment of its own
	./.ci/release
	./.ci/release_extras dist/*.whl $(BIN)/python $(BIN)/uv tests/data/MI_26.jpg

constraints: $(BIN)/uv ## Add new dependencies to constraints.txt, with the hashes of all (ARGS=--upgrade: newest versions)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-annotate \
	  --no-header --output-file constraints.txt $(ARGS) pyproject.toml

format: setup-dev ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## Run the benchmarks and print their tables
	@for script in $(filter-out %/scoring.py %/threshold_sweep.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.docs ## Build the documentation site in build/docs, with its tutorials run (warnings are errors)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Built build/docs/index.html."

pictures: setup-dev ## Make the pictures and generated pages of the docs again
	@for script in docs/make_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "ecglens needs Python 3.11 to 3.13, but $(PYTHON) is %d.%d; set PYTHON=" % v)'
	$(PYTHON) -m venv $(VENV)
	awk '/^uv==/ { wanted = 1 } wanted { print } wanted && !/\\$$/ { exit }' constraints.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt

$(VENV)/.serving: $(BIN)/uv pyproject.toml constraints.txt
	$(UV) --editable '.[web,signal,batch]'
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.development: $(BIN)/uv pyproject.toml constraints.txt
	$(UV) --editable '.[web,report,train,explain,keras,signal,table,batch,ocr,tensorboard,stream,federate,dev]'
	@$(BIN)/python -m compileall -q src
	@touch $@ $(VENV)/.serving

# mysqlclient is built with MariaDB's library, which not every machine has; without it MariaDB's tests are skipped.
$(VENV)/.mysql: $(VENV)/.development
	@if command -v cc >/dev/null && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; } 2>/dev/null; then \
	  $(UV) --editable '.[mysql]' && touch $@; \
	else \
	  echo "mysqlclient is not installed: it needs a C compiler, pkg-config and MariaDB's or MySQL's library (libmariadb-dev)."; \
	fi

$(VENV)/.docs: $(VENV)/.development
	$(UV) --editable '.[docs]'
	@touch $@

$(VENV)/.release: $(BIN)/uv pyproject.toml constraints.txt
	$(UV) --editable '.[release]'
	@touch $@
