# Every target sets up what it needs on a fresh Debian-like machine with Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo browser chromium test check bench format lock clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(VENV)/run: requirements/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@echo "$(CURDIR)/src" > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/millstream.pth
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

node_modules/.done: package-lock.json
	@if command -v npm >/dev/null; then \
	   npm install --no-save --omit=optional --ignore-scripts --silent --no-audit --no-fund && touch $@; \
	 else echo "npm is not here: the tests of the Node SDKs are left out"; mkdir -p node_modules && touch $@; fi

# The tests of device mode drive it; where it cannot be installed they are left out.
/usr/bin/chromium:
	@if command -v apt-get >/dev/null; then \
	   { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
	   || echo "chromium cannot be installed: the tests in a browser are left out"; \
	 else echo "chromium is not here: the tests in a browser are left out"; fi

chromium: /usr/bin/chromium ## the browser that tests drive

demo: $(VENV)/run ## a local HubSpot portal, the server, and events through both
	@$(BIN)/python -m millstream demo

browser: node_modules/.done ## the files that browsers load; needs Node
	@command -v node >/dev/null || { echo "make browser needs Node 18 or newer"; exit 1; }
	@node browser/build.mjs

test: $(VENV)/dev node_modules/.done chromium check ## all checks and all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: $(VENV)/dev ## lint, types, architecture
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 20

bench: $(VENV)/dev ## measure; JSON lines in bench/results
	@$(BIN)/python bench/run.py

format: $(VENV)/dev ## format and fix
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: $(VENV)/dev ## renew the hashed pins
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --no-header --no-emit-index-url --no-annotate --generate-hashes -c requirements/constraints.txt pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --no-header --no-emit-index-url --no-annotate --generate-hashes -c requirements/run.txt --group dev pyproject.toml -o requirements/dev.txt

clean: ## remove what make made
	@rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
