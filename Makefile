# make demo: the main job, from nothing.   make test: the suite, from nothing; make slow: what takes longer of it.
# make check: style and types.             make build: the wheel from the sdist, tried in a clean environment.
# make docs: the site, into site/.          make figures: the tables and pictures of the documentation, drawn anew.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export OMP_NUM_THREADS ?= 1

.PHONY: demo test slow check build docs figures

demo: $(VENV)/.demo
	$(BIN)/spatial-reward demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m slow $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

build: $(VENV)/.dev
	rm -rf dist && $(BIN)/python -m build --sdist --outdir dist . && $(BIN)/python -m build --wheel --outdir dist $$(.ci/unpack dist)
	.ci/smoke $(PYTHON) dist

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(VENV)/.dev
	$(BIN)/python docs/scripts/tables.py && $(BIN)/python docs/scripts/pictures.py

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "spatial-reward needs Python 3.11 to 3.13: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	.ci/gl
	$(PIP) -e '.[viz]'
	@touch $@

# Meta-World pins an old mujoco but runs on the tested one, hence --no-deps.
$(VENV)/.dev: $(VENV)/.demo
	.ci/vulkan
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps metaworld==3.1.1
	@touch $@
