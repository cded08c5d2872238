# The tasks of a checkout. Needs Python 3.11 or newer, make and git, and no root.

VENV := .venv
BIN := $(VENV)/bin
# To choose another Python for a new .venv: make PYTHON=/usr/bin/python3.13 ...
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
# Programs that some tests start, as command:Debian package. Debian does not put PostgreSQL's on the PATH.
# Commands, one of which is enough, and the package of Debian that has it.
TEST_PROGRAMS := chromium-headless-shell/chromium/google-chrome:chromium-headless-shell postgres:postgresql \
	redis-server:redis-server
TEST_PATH := $(PATH):$(subst $() ,:,$(wildcard /usr/lib/postgresql/*/bin))
PYTEST_ARGS :=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes, each of which would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve demo format lint check test test-slow test-long test-programs client gallery image clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(VENV)/installed ## Start the service: page, REST and worker (IMPASTO_PORT, IMPASTO_DATA_DIR)
	@$(BIN)/impasto serve

demo: $(VENV)/installed ## Start the service, make demo.png by style transfer through REST, stop
	@$(BIN)/impasto demo -o demo.png

format: $(VENV)/installed-dev ## Format the code and fix what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file clients/python/pyproject.toml
	$(BIN)/lint-imports

check: lint ## Format, lint, types, import contracts and the quick tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto -m "not (medium or server or browser or slow or long)" $(PYTEST_ARGS)

test: lint test-programs ## All of check, and every test except the slow and the long ones; lists skipped tests at the end
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto -m "not (server or browser or slow or long)" $(PYTEST_ARGS)
	$(BIN)/pytest -q -n 2 --dist loadfile -m "(server or browser) and not (slow or long)" $(PYTEST_ARGS)

# Most of them wait for processes, so there is one more at a time than a small machine has cores.
test-slow: $(VENV)/installed-dev test-programs ## The tests that take minutes
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadgroup -m "slow and not long" --timeout=1800 -o faulthandler_timeout=1830 $(PYTEST_ARGS); code=$$?; \
	if [ $$code -eq 5 ]; then echo "There are no slow tests."; else exit $$code; fi

test-long: $(VENV)/installed-dev test-programs ## The OpenAPI tried with whatever it allows and forbids, and more of the slow tests
	@$(BIN)/pytest -m long -o faulthandler_timeout=0 $(PYTEST_ARGS)

# Programs that cannot be installed are named here and in the last line of the tests, which skip what needs them.
test-programs:
	@missing=; PATH="$(TEST_PATH)"; \
	for entry in $(TEST_PROGRAMS); do \
		commands=$${entry%%:*}; found=; \
		for command in $$(echo $$commands | tr / ' '); do \
			! command -v $$command >/dev/null || found=yes; \
		done; \
		[ -n "$$found" ] || missing="$$missing $${entry##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
				apt-get install -qq -y --no-install-recommends $$missing >/dev/null \
				|| echo "Could not install$$missing." >&2; \
		else \
			echo "Some tests need programs that are missing:$$missing. On Debian: sudo apt-get install$$missing" >&2; \
		fi; \
	fi

client: $(VENV)/installed-dev ## Derive the kinds, params and answers of the Python client from the service
	@$(BIN)/python clients/python/generate.py

gallery: $(VENV)/installed ## Make all pictures of docs/gallery.md, understanding.md and training.md, with the commands in them
	@awk '/^```sh/ {on = 1; next} /^```/ {on = 0} on' docs/gallery.md docs/understanding.md docs/training.md | PATH="$(BIN):$$PATH" bash -eux

image: ## Build the container image, without a Docker engine, as root (scripts/build_image.sh)
	@scripts/build_image.sh

clean: ## Remove the environment and caches; the data stays
	rm -rf $(VENV) build *.egg-info clients/python/build clients/python/src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# $(call install,EXTRAS): the package, editable, with exact versions; builds with the pinned setuptools.
define install
	@if ! $(BIN)/python -c '' 2>/dev/null; then \
		python=; \
		for candidate in $(PYTHONS); do \
			if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				python=$$candidate; break; \
			fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "Impasto needs Python 3.11 or newer; python3 is $$(python3 --version 2>&1)." \
				"Name one with make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$($$python --version). Installing takes minutes the first time."; \
		if ! $$python -m venv --clear $(VENV); then \
			echo "Could not make $(VENV). On Debian: sudo apt-get install python3-venv" >&2; \
			rm -rf $(VENV); exit 1; \
		fi; \
	fi
	@$(BIN)/python -m pip install --quiet -c constraints.txt setuptools
	@$(BIN)/python -m pip install --no-build-isolation -c constraints.txt -e '.$(1)'
endef

$(VENV)/installed: pyproject.toml constraints.txt
	$(call install,)
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt
	$(call install,[dev])
	@touch $(VENV)/installed $@
