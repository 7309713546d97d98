SHELL := /bin/bash
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
EXAMPLE ?= examples/ext/wan22-i2v.json
# long enough to see the progress bar move; a test or a benchmark takes 0
STEP_SECONDS ?= 1
# NODES=1 tests comfy_nodes too, which needs torch
NODES ?=
# BROWSER=1 tests Studio's page too, which needs Chromium
BROWSER ?=
ARGS ?=

.PHONY: help run serve test lint acceptance bench docs clean
help:
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 18

run: $(VENV)/.installed  ## compile and run an example request on the sandbox (EXAMPLE=…, ARGS=…)
	@COMFYC_SANDBOX_STEP_SECONDS=$(STEP_SECONDS) $(BIN)/comfyc run $(EXAMPLE) --out out $(ARGS)

serve: $(VENV)/.installed  ## start the API (ARGS=…)
	@$(BIN)/comfyc serve $(ARGS)

test: lint $(if $(NODES),$(VENV)/.installed-nodes) $(if $(BROWSER),$(VENV)/.installed-browser)  ## lint, formatting, types and all tests (NODES=1: with torch; BROWSER=1: with Chromium)
	@$(BIN)/python -m pytest -m "not comfyui$(if $(BROWSER),, and not browser)" $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright --warnings

acceptance: $(VENV)/.installed-dev  ## tests on a real ComfyUI (COMFYUI_HOME=… or COMFYC_ENGINE_URL=…)
	@test -n "$$COMFYUI_HOME$$COMFYC_ENGINE_URL" || { \
		echo "make: set COMFYUI_HOME to a ComfyUI folder, or COMFYC_ENGINE_URL to a running one (docs/acceptance.md)" >&2; exit 2; }
	@$(BIN)/python -m pytest -m comfyui $(ARGS)

bench: $(VENV)/.installed-dev  ## print the numbers of README's benchmark table
	@set -e; for file in benchmarks/bench_*.py; do $(BIN)/python $$file $(ARGS); done

docs: $(VENV)/.installed-dev  ## write the generated pages of docs/
	@$(BIN)/python docs/generate.py

clean:  ## remove the virtual environment and what `make run` made
	rm -rf $(VENV) out

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or newer (PYTHON=/path/to/python3)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) has no venv (Debian: apt install python3-venv)" >&2; exit 2; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing comfyc into $(VENV) (no torch, no models; about a minute)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# --group needs pip 25.1
$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the development tools into $(VENV)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)/.installed-browser: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group browser
	@touch $@

$(VENV)/.installed-nodes: $(VENV)/.installed-dev
	@echo "Installing torch into $(VENV)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[nodes]' --group nodes-dev
	@touch $@
