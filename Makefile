# make          set up an environment and run the main job: quick experiments -> report.html
# make test     set up and run the tests         make lint    ruff and mypy
# make full     all experiments in full          make bench   held against the targets; JSON and tables
# make clean    remove what these targets made
#
# PYTHON=python3.12   another interpreter (3.11 or later)
# TORCH_INDEX=URL     a package index that serves the CPU build of torch

PYTHON ?= python3
VENV ?= .venv
REPORT ?= report.html
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

.PHONY: all report full test test-slow lint bench bench-reconstruction bench-compression clean

all: report

report: $(READY)
	$(BIN)/python -m experiments all --quick --html $(REPORT)

full: $(READY)
	$(BIN)/python -m experiments all --html $(REPORT)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest --hypothesis-profile new tests/codec tests/evaluation tests/linalg

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: bench-reconstruction bench-compression

bench-reconstruction: $(READY)
	$(BIN)/python -m experiments reconstruction_targets --json bench-reconstruction.json
	$(BIN)/python -m experiments reconstruction_rivals --json bench-rivals.json

bench-compression: $(READY)
	$(BIN)/python -m experiments compression_targets --json bench-compression.json

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"invae needs Python 3.11 or later, this is {v.major}.{v.minor}: call make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) -e '.[all,dev,peers]'
	$(BIN)/invae warm
	@touch $(READY)

clean:
	rm -rf $(VENV) $(REPORT) bench-*.json build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find invae experiments tests -name __pycache__ -type d -exec rm -rf {} +
