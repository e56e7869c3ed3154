# The one list of commands. CI calls these, so there is one meaning of green.
PYTHON ?= $(shell .ci/pick-python)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
ARGS ?=
# Tests wait more than they work: for agencies that are slow, for processes that start.
WORKERS ?= 4
NODE_MODULES := tests/node/node_modules/.installed

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

.PHONY: help demo test spark check format bench catalogue lock graphiql chromium clean
help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## Start the agencies, the hub and a sample query (PORT=, ARGS=--once)
	@PORT=$(PORT) $(BIN)/hub demo $(ARGS)

test: $(VENV)/.test $(NODE_MODULES) chromium ## Run every test
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(ARGS)

spark: $(VENV)/.spark ## Install Spark, for the tests that run on it (needs Java 17 or newer)

check: $(VENV)/.test ## Lint, types, import contracts, configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hub check --no-environment

format: $(VENV)/.test ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/.test ## Measure; prints ratios, writes bench/results/
	$(BIN)/python -m bench $(ARGS)

catalogue: $(VENV)/.test ## Write docs/catalogue/ anew, from the declarations and the register
	$(BIN)/hub catalogue --docs docs/catalogue --config hub.full.toml

lock: ## Renew the lock files (needs uv)
	$(LOCK) --extra demo --group build -o requirements.lock pyproject.toml
	$(LOCK) --extra demo --group build --extra soap --group test -c requirements.lock -o requirements-test.lock pyproject.toml
	$(LOCK) --extra spark -c requirements-test.lock -o requirements-spark.lock pyproject.toml

graphiql: $(VENV)/.test ## Rebuild the GraphiQL page, hub/console/assets/
	cd hub/console/graphiql && "$(CURDIR)/$(BIN)/npm" ci --loglevel=error && "$(CURDIR)/$(BIN)/node" build.mjs

clean: ## Remove what make made
	rm -rf $(VENV) .demo tests/node/node_modules hub/console/graphiql/node_modules

$(BIN)/python:
	@python="$(PYTHON)" && if [ "$$python" ] && \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "making $(VENV) with $$python" >&2; "$$python" -m venv $(VENV) >&2; \
	else \
		echo "Python 3.11 or newer with venv is needed: set PYTHON=/path/to/python3.11" >&2; exit 2; \
	fi

$(VENV)/.demo: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.demo
	@echo "installing the locked test tools into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock >&2
	@touch $@

$(VENV)/.spark: requirements-spark.lock $(VENV)/.test
	@echo "installing Spark into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock >&2
	@touch $@

# Without them the tests that need Node or a browser are skipped and say so; .ci/run fails for that.
$(NODE_MODULES): tests/node/package-lock.json tests/node/.npmrc | $(VENV)/.test
	@echo "installing the locked Node modules into tests/node" >&2
	@if (cd tests/node && "$(CURDIR)/$(BIN)/npm" ci --loglevel=error --fetch-retries=1 </dev/null >&2); \
		then touch $@; \
		else echo "npm ci failed (no way to the npm registry?): tests that need Node will be skipped" >&2; fi

chromium:
	@tests/node/install-chromium
