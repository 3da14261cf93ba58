# Everything a developer needs. Only Python 3.11 or newer and make have to be there.
#
#   make test ARGS='-k receiver'     make demo ARGS=--exit     make setup PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
SEEDS ?= 3000

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak check fix docs bench

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
	  while IFS='|' read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

demo: $(READY) ## Run the main workflow against simulated providers, then go on serving (ARGS=--exit to stop)
	@$(BIN)/orchestrator demo $(ARGS)

test: $(READY) ## Run the tests (ARGS='-k receiver' for some of them)
	@$(BIN)/pytest -n auto $(ARGS)

soak: $(READY) ## Play thousands of histories with faults and crashes (SEEDS=500, or SEEDS=17-17 for one)
	@ORCHESTRATOR_SEEDS=$(SEEDS) $(BIN)/pytest -n auto tests/simulation $(ARGS)

check: $(READY) ## Check style, format, types and the arrows between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(READY) ## Mend what can be mended by itself: imports, simple slips, format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(READY) ## Write those parts of the pages in docs/ that come from the code
	@$(BIN)/python tests/docs

bench: $(READY) ## Measure against controls on this machine (ARGS='--help' for what can be chosen)
	@$(BIN)/python tests/benchmarks $(ARGS)

setup: $(READY) ## Set up .venv; the others do so when they need it

# The stamp is older than pyproject.toml after a dependency has changed, and everything is set up again.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: make setup PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: on Debian and Ubuntu install python3-venv" >&2; \
	  exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
