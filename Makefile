# One-word commands. Everything runs in .venv, which `make` builds from this checkout alone.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find src kernels -name '*.py' -not -path '*/__pycache__/*') CMakeLists.txt pyproject.toml README.md

.PHONY: demo test lint bench fuzz install clean check-tools
.DEFAULT_GOAL := demo

# Name whatever is missing in one sentence, with its remedy.
check-tools:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	  { echo "Apochromat needs Python 3.11 to 3.13: install one (apt-get install python3 python3-venv) or say make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sysconfig, pathlib, sys; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' || \
	  { echo "Python's headers are missing: apt-get install python3-dev"; exit 1; }
	@command -v c++ >/dev/null || { echo "a C++ compiler is missing: apt-get install g++"; exit 1; }

.venv/installed: $(SOURCES)
	@$(MAKE) --no-print-directory check-tools
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[test]'
	@touch $@

install: .venv/installed  ## environment, build, install

demo: .venv/installed  ## shoot a night street and a fringe test with built-in cameras, develop them, show them on a page
	@$(BIN)/python examples/demo.py demo

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy

test: .venv/installed lint  ## lint, types and the whole suite
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests/unit tests/e2e tests/real
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests/physics tests/optics

bench: .venv/installed  ## the figures in docs/performance.md and docs/quality.md, measured anew
	$(BIN)/python benchmarks/run.py

fuzz: .venv/installed  ## 2,000 damaged RAW files
	$(BIN)/python benchmarks/fuzz.py --count 2000

clean:
	rm -rf .venv build dist demo
