# `make demo` shows procman at work, `make test` tests it; both set up what they need in .venv.

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
AS := # put before each command of `make pictures`; without this line, make sets it to "as", the assembler

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools
SOURCES := pyproject.toml packaging/project_urls.py README.md LICENSE man/procman.1 $(wildcard docs/*.md) $(shell find src -name '*.py' -o -name '*.json')

# The shell must outlive Ctrl-C, for which procman has an end of its own; its status 130 is not an error of make's.
AT_CTRL_C = trap : INT; $(1) || [ $$? = 130 ]

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types man schema pyz deb site pictures dev clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(INSTALLED) ## run the example: three processes, http://127.0.0.1:5000/
	@echo "$(BIN)/procman start -f Procfile.example"
	@$(call AT_CTRL_C,$(BIN)/procman start -f Procfile.example)

test: $(INSTALLED) $(TOOLS) ## run every test (TESTS=tests/core for some), against the installed command
	$(BIN)/python -m pytest $(TESTS)

check: format lint types test ## everything that must pass before a commit

format: $(TOOLS) ## check the layout of the code (make format FIX=1 fixes it)
	$(BIN)/ruff format $(if $(FIX),,--check) .

lint: $(TOOLS) ## look for mistakes (make lint FIX=1 corrects some)
	$(BIN)/ruff check $(if $(FIX),--fix) .

types: $(INSTALLED) $(TOOLS) ## check the types, strictly
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin src

man: $(INSTALLED) ## write the man page from the table of options
	PYTHONPATH=src $(BIN)/python -m procman.cli.options.manual > man/procman.1

schema: $(INSTALLED) ## write the JSON Schema of procman.toml from the tables of options and keys
	PYTHONPATH=src $(BIN)/python -m procman.cli.options.schema > src/procman/cli/options/procman.schema.json

pyz: $(TOOLS) ## build procman and all that it needs as one file, build/procman.pyz
	@mkdir -p build
	$(BIN)/shiv --quiet --console-script procman --python "/usr/bin/env python3" --output-file build/procman.pyz --disable-pip-version-check '.[schedule,init,tui]'

deb: $(BIN)/python ## build a Debian package, in build/
	PYTHON=$(BIN)/python packaging/debian/build

site: $(TOOLS) ## build the site from docs/, in build/website/site
	$(BIN)/python docs/site/stage.py build/website
	cd build/website && $(abspath $(BIN))/zensical build --strict

pictures: $(INSTALLED) $(TOOLS) ## record the pictures of the documentation
	$(BIN)/python docs/pictures/rooms.py
	$(BIN)/python docs/pictures/record.py $(AS)

dev: $(BIN)/python ## install in place: changes in src/ are live, until `make clean`
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $(VENV)/.editable

clean: ## remove what was set up
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Not editable: the tests run what a user would get, compiled and with nothing but the wheel's files.
$(INSTALLED): $(SOURCES) | $(BIN)/python
	@test -e $(VENV)/.editable || { echo "installing procman in $(VENV)"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps . && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check . ; }
	@touch $@

$(TOOLS): pyproject.toml | $(BIN)/python
	@echo "installing the tools for tests, lint and types in $(VENV)"
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > $(VENV)/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/dev.txt
	@touch $@

$(BIN)/python:
	@echo "setting up $(VENV), once: this takes some seconds"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "procman needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "the venv module is missing (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
