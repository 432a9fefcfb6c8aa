# Everything a developer runs. `make help` lists it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DIST := dist
MEMBERS := shared services/api services/topic-worker services/enricher services/status-projector cli deploy/local
TO_RUN := $(VENV)/.to-run
TO_DEVELOP := $(VENV)/.to-develop
# For networks with a certificate authority of their own.
export UV_SYSTEM_CERTS := true
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
PYTEST = $(BIN)/python -m pytest
PARALLEL = -n logical --maxprocesses 4 --dist loadfile
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes \
	--no-emit-index-url --no-header --no-emit-package topicflow-shared \
	--no-emit-package topicflow-local

.DEFAULT_GOAL := help
.PHONY: help setup run kafka postgres test test-quick test-all check image bench contracts dist lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(TO_DEVELOP)  ## make .venv with all locked dependencies and this checkout's packages

$(TO_RUN): requirements-build.lock requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS))
	@command -v $(PYTHON) >/dev/null || { echo "topicflow needs Python 3.11: set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV), once: 1 of 3, the installer …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@echo "Installing into $(VENV), once: 2 of 3, $$(grep -c '^[a-z].*==' requirements.lock) packages …"
	@$(INSTALL) --require-hashes -r requirements.lock
	@echo "Installing into $(VENV), once: 3 of 3, topicflow …"
	@$(INSTALL) --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

$(TO_DEVELOP): $(TO_RUN) requirements-dev.lock
	@echo "Installing into $(VENV), once: what tests and checks need …"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

run: $(TO_RUN)  ## start everything on this machine, submit examples/topics.txt, stay up until Ctrl-C
	@exec $(BIN)/topicflow up --submit examples/topics.txt

kafka: $(TO_DEVELOP)  ## Kafka on this machine's Java until Ctrl-C, on port 9092
	@exec $(BIN)/python -m local_servers kafka

postgres: $(TO_DEVELOP)  ## PostgreSQL on this machine until Ctrl-C, on port 5432
	@exec $(BIN)/python -m local_servers postgres

test: $(TO_DEVELOP)  ## run the tests but the slow ones; or some: ARGS="tests/unit -x"
ifdef ARGS
	@$(PYTEST) $(ARGS)
else
	@$(PYTEST) $(PARALLEL) -m "not alone and not slow"
	@$(PYTEST) -m "alone and not slow"
endif

test-quick: $(TO_DEVELOP)  ## run units, brokers and API, in three minutes, without Java and Docker
	@$(PYTEST) $(PARALLEL) --quick -m "not alone and not slow" tests/unit tests/contract tests/integration/test_api_*.py

test-all: export TOPICFLOW_TEST_EXAMPLES := all
test-all: $(TO_DEVELOP)  ## run every test, the slow ones too, with all fuzzed examples
	@$(PYTEST) $(PARALLEL) --durations 25 -m "not alone"
	@$(PYTEST) --durations 25 -m alone

check: $(TO_DEVELOP)  ## format, lint, import rules, names, types, contract documents up to date
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tests/words/lint.py
	@$(BIN)/mypy shared/src services/*/src cli/src deploy/local/src tests
	@$(BIN)/python tests/contracts.py --check

contracts: $(TO_DEVELOP)  ## write docs/openapi.json, asyncapi.json and metrics.md anew
	@$(BIN)/python tests/contracts.py

image:  ## build the container image topicflow:local, where a Docker engine answers; BASE=… is another one to build on
	@docker version >/dev/null 2>&1 || { echo "no Docker engine answers: make image needs one, see docs/deploy-compose.md"; exit 1; }
	@docker build $(if $(BASE),--build-arg BASE=$(BASE)) --file deploy/Dockerfile --tag topicflow:local .

bench: $(TO_DEVELOP)  ## measure beside a hand-written limit, all or ARGS="drain reads --json FILE"
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

dist: $(TO_DEVELOP)  ## build wheels and sdists of all packages into dist, or DIST=…
	@rm -f $(DIST)/*.whl $(DIST)/*.tar.gz
	@for member in $(MEMBERS); do $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir $(DIST) $$member || exit 1; done
	@ls $(DIST)

lock: $(TO_DEVELOP)  ## resolve the dependencies anew into requirements-dev.lock, and derive the other locks from it
	@$(COMPILE) --upgrade --group dev --all-extras $(addsuffix /pyproject.toml,$(MEMBERS)) -o requirements-dev.lock
	@$(COMPILE) --no-annotate --constraint requirements-dev.lock $(addsuffix /pyproject.toml,$(MEMBERS)) -o requirements.lock
	@$(COMPILE) --no-annotate --constraint requirements-dev.lock --group build -o requirements-build.lock

clean:  ## remove what setup, checks and dist made
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
