# What a developer types; `make` alone lists it.

# The interpreter of the virtual environment: the system's, else the newest on PATH.
PYTHON ?= /usr/bin/python3 python3.13 python3.12 python3.11 python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# What is fixed when the package is installed.
METADATA := setup.cfg pyproject.toml constraints.txt realmd/__init__.py

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# Processes that run tests at once: one with the browser, one with the sieges, one with the rest.
WORKERS ?= 3
# Those whose promises need no process, browser or attack.
QUICK := tests/primitives tests/world tests/protocol tests/identity tests/runtime tests/storage tests/test_*.py

.PHONY: help run test quick lint types pytest docs screens deb repo package-test test-trixie format clean
.DELETE_ON_ERROR:

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

run: $(VENV)/ready  ## start a realm that keeps its state under ./var (ARGS="--port 1234" adds options)
	@mkdir -p -m 0700 var && chmod 0700 var
	@exec env STATE_DIRECTORY="$(CURDIR)/var" $(BIN)/twistd --nodaemon --pidfile= realmd $(ARGS)

test: lint types pytest  ## all that must pass: lint, types and tests

lint: $(VENV)/ready-to-test  ## ruff: rules and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/ready-to-test node_modules/ready  ## mypy, strict in every room; tsc over the page
	$(BIN)/mypy
	npm run --silent types

pytest: $(VENV)/ready-to-test  ## the tests, all at once or some (ARGS="tests/world -k walk")
	$(BIN)/pytest $(or $(ARGS),--numprocesses $(WORKERS))

quick: lint $(VENV)/ready-to-test  ## what is checked while one writes: lint, types, the tests that start nothing
	$(BIN)/mypy
	@[ ! -e node_modules/ready ] || npm run --silent types
	$(BIN)/pytest --quiet --numprocesses 2 $(QUICK)

docs: $(VENV)/ready-for-docs  ## the documents as HTML, in build/docs; a warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs

deb:  ## build the Debian packages into build/deb, each in a chroot of its Debian (needs root and debootstrap)
	delivery/deb

repo:  ## make a signed apt repository of them, build/repo (SIGN_WITH names the key)
	delivery/repo

package-test:  ## build, boot Debian 12 and 13, install and try it all (ARGS="--built bookworm --only hung")
	/usr/bin/python3 -m delivery.test $(ARGS)

test-trixie:  ## the tests inside Debian 13, with its Python (needs root and debootstrap)
	ARGS="$(ARGS)" delivery/suite trixie

format: $(VENV)/ready-to-test  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screens: $(VENV)/ready-to-test  ## pictures of the page, in build/screens
	$(BIN)/pytest tests/web

clean:  ## take away all that was made, except ./var
	rm -rf $(VENV) node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis _trial_temp*
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# Empty files that say how far the virtual environment has come.

$(VENV)/made:
	@find_python() { \
	    for python in $(PYTHON); do \
	        "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return; \
	    done; false; \
	}; \
	find_python || { \
	    if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	        echo "Python 3.11 or newer with venv is needed: sudo apt-get install python3-venv" >&2; exit 1; \
	    fi; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    apt-get -qq update && apt-get -qq install --yes --no-install-recommends python3-venv >/dev/null && find_python; \
	} || { echo "No Python 3.11 or newer among: $(PYTHON)" >&2; exit 1; }; \
	echo "Creating $(VENV) with $$($$python --version)"; \
	"$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/ready: $(VENV)/made $(METADATA)
	@echo "Installing realmd into $(VENV)"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) --no-build-isolation --editable .[test]
	@touch $@

$(VENV)/ready-for-docs: $(VENV)/ready
	@echo "Installing what makes the documents into $(VENV)"
	@$(PIP) --no-build-isolation --editable .[docs]
	@touch $@

# What some tests need beside Python: tests/conftest.py asks for it when such a test runs.

# What opens the page.
$(VENV)/browser: $(VENV)/made
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || $(call install,chromium fonts-dejavu-core)
	@touch $@

# Lets a test set the clock of one process.
$(VENV)/faketime: $(VENV)/made
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || $(call install,faketime)
	@touch $@

# What tries the alert rules and the dashboard.  RUNLEVEL keeps the package from starting a service.
$(VENV)/prometheus: $(VENV)/made
	@command -v promtool >/dev/null || { export RUNLEVEL=1; $(call install,prometheus); }
	@touch $@

# TypeScript and axe-core, which check the page, and nostr-tools, another implementation.
node_modules/ready: package.json package-lock.json
	@command -v npm >/dev/null || $(call install,npm)
	@echo "Installing what checks the page into node_modules"
	@npm ci --silent --ignore-scripts
	@touch $@

# Debian's package, if we may.
install = { \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "The tests need $(1): sudo apt-get install $(1)" >&2; exit 1; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq install --yes --no-install-recommends $(1) >/dev/null; \
    }
