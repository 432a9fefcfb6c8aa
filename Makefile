# Everything a developer runs. `make help` lists it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := shared services/api services/topic-worker services/enricher services/status-projector cli deploy/local
SETUP := $(VENV)/.ready
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes \
	--no-emit-index-url --no-header --no-emit-package topicflow-shared \
	--no-emit-package topicflow-local

.DEFAULT_GOAL := help
.PHONY: help setup run kafka postgres test check image bench contracts lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP)  ## make .venv with the locked dependencies and this checkout's packages

$(SETUP): requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	@command -v $(PYTHON) >/dev/null || { echo "topicflow needs Python 3.11: set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) (once) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

run: $(SETUP)  ## start everything on this machine, submit examples/topics.txt, stay up until Ctrl-C
	@exec $(BIN)/topicflow up --submit examples/topics.txt

kafka: $(SETUP)  ## Kafka on this machine's Java until Ctrl-C, on port 9092
	@exec $(BIN)/python -m local_servers kafka

postgres: $(SETUP)  ## PostgreSQL on this machine until Ctrl-C, on port 5432
	@exec $(BIN)/python -m local_servers postgres

test: $(SETUP)  ## run every test, or some: ARGS="tests/unit -x"
	@$(BIN)/python -m pytest $(ARGS)

check: $(SETUP)  ## format, lint, import rules, names, types, contract documents up to date
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tests/words/lint.py
	@$(BIN)/mypy shared/src services/*/src cli/src deploy/local/src tests
	@$(BIN)/python tests/contracts.py --check

contracts: $(SETUP)  ## write docs/openapi.json, asyncapi.json and metrics.md anew
	@$(BIN)/python tests/contracts.py

image:  ## build the container image topicflow:local, where a Docker engine answers; BASE=… is another one to build on
	@docker version >/dev/null 2>&1 || { echo "no Docker engine answers: make image needs one, see docs/deploy-compose.md"; exit 1; }
	@docker build $(if $(BASE),--build-arg BASE=$(BASE)) --file deploy/Dockerfile --tag topicflow:local .

bench: $(SETUP)  ## measure beside a hand-written limit, all or ARGS="drain reads --json FILE"
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

lock: $(SETUP)  ## resolve the dependencies anew into requirements.lock; what of them the image needs, into the others
	@$(COMPILE) --upgrade --group dev --all-extras pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS)) -o requirements.lock
	@$(COMPILE) --no-annotate --constraint requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS)) -o requirements-image.lock
	@$(COMPILE) --no-annotate --constraint requirements.lock --group build -o requirements-build.lock

clean:  ## remove what setup made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
