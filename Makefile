# Needs Python 3.11 or newer and make, nothing else. `make PYTHON=python3.13 test` chooses another interpreter.
PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2
ARGS    ?=

BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
INSTALL := install --quiet --disable-pip-version-check --no-input
RUFF    := $(BIN)/ruff
SHELL   := /bin/sh

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test lint fmt bench simulate planted mutate fuzz crash rehearse wheel lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the hashed lock; instant when nothing changed

demo: $(READY) ## run all applications side by side on a store of their own; ARGS="--app weather" runs one
	$(BIN)/tidegate demo $(ARGS)

dev: $(READY) ## serve API and cron ticks on port 8787 until stopped
	$(BIN)/tidegate dev $(ARGS)

test: $(READY) ## run the whole test suite in parallel; ARGS="-k word" narrows it
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(READY) ## check style, format, types and import contracts
	$(RUFF) check .
	$(RUFF) format --check .
	$(BIN)/mypy shared functions infra tests
	$(BIN)/lint-imports

fmt: $(READY) ## mend style and format where that is mechanical
	$(RUFF) check --fix .
	$(RUFF) format .

bench: $(READY) ## compare with other job queues, in 3 minutes; ARGS=--full writes docs/benchmarks.md
	$(BIN)/python -m tests.bench $(ARGS)

rehearse: $(READY) ## package and try both deployments without an account; ARGS=lambda-kill picks a step
	$(BIN)/python -m infra.rehearse $(ARGS)

SEED    ?= 1
STEPS   ?= 1000000
RUNS    ?= 1000
ENGINE  ?= best
JOBS    ?= 1

simulate: $(READY) ## hunt for lost jobs from a seed on: SEED=1 STEPS=1000000 JOBS=2 ENGINE=gopherlua
	$(BIN)/python -m tests.simulation $(SEED) $(STEPS) $(ENGINE) $(JOBS)

planted: $(READY) ## plant bugs in scripts and drain, print what finds each; ARGS=--mutants adds mutations
	$(BIN)/python -m tests.planted $(ARGS)

# An environment of its own, since no other target needs mutmut: the lock knows nothing of it.
MUTATE  := .cache/mutate
MUTMUT  := mutmut==3.8.1

mutate: ## change the engine's Python and tell what no test noticed; ARGS="shared.lane*" narrows it
	test -x $(MUTATE)/bin/mutmut || { $(MAKE) setup VENV=$(MUTATE) && $(MUTATE)/bin/python -m pip $(INSTALL) $(MUTMUT); }
	$(MUTATE)/bin/mutmut run --max-children 1 $(ARGS)
	$(MUTATE)/bin/python -m tests.planted.python

fuzz: $(READY) ## schemathesis against the running API for 15 minutes; ARGS="--minutes 2 --seed 1"
	$(BIN)/python -m tests.fuzz $(ARGS)

crash: $(READY) ## kill real drains and servers under load: SEED=1 RUNS=1000
	$(BIN)/python -m tests.crash $(SEED) $(RUNS)

UV      := .cache/lock/bin/uv
COMPILE := $(UV) --no-config pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --quiet --custom-compile-command "make lock"

wheel: $(READY) ## build the package tidegate into dist/
	$(BIN)/python -m infra.wheel

lock: ## resolve requirements/*.txt anew; ARGS=--upgrade takes the newest versions
	test -x $(UV) || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip $(INSTALL) uv; }
	$(COMPILE) $(ARGS) --extra embedded --extra cli --extra postgres --extra otel --group dev --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/runtime.txt
	$(COMPILE) --constraint requirements/dev.txt --extra encryption --output-file requirements/encryption.txt
	$(COMPILE) --constraint requirements/dev.txt --extra postgres --output-file requirements/postgres.txt
	$(COMPILE) --constraint requirements/dev.txt --group pictures --output-file requirements/pictures.txt

clean: ## remove what make and the tools built; the data in .tidegate stays
	rm -rf $(VENV) .cache mutants build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian may ship venv without ensurepip: then the system's pip fills the environment from outside.
define PREPARE
set -e
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Tidegate needs Python 3.11 or newer, and '$(PYTHON)' is not one. Say which to use: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
if ! $(BIN)/python -c '' 2>/dev/null; then
	rm -rf $(VENV)
	if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV)
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then $(PYTHON) -m venv --without-pip $(VENV)
	else echo "'$(PYTHON)' can neither make an environment nor has pip. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1
	fi
fi
pip="$(BIN)/python -m pip"
$$pip --version >/dev/null 2>&1 || pip="$(PYTHON) -m pip --python $(BIN)/python"
echo "Installing the locked dependencies into $(VENV) (about a minute, once)"
$$pip $(INSTALL) --no-deps --require-hashes -r requirements/dev.txt
$$pip $(INSTALL) --no-deps --no-build-isolation --editable .
touch $(READY)
endef
export PREPARE

$(READY): requirements/dev.txt pyproject.toml
	@$(SHELL) -c "$$PREPARE"
