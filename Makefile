# Two commands do all the set-up: `make demo` and `make test`. While you work:
#   make check    linter, types, and the quick tests of what you have changed, in less than a minute
#   make test     all that protects a change, in minutes
#   make stress   the cases of which `make test` goes through a fifth (kills, mutated files, ...), all of them
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RUN ?= runs/demo
WORKERS ?= 2
# `make check` tests what differs from this; BASE=main for all of a branch.
BASE ?= HEAD
CHANGED = $(shell { git diff --name-only $(BASE) && git ls-files --others --exclude-standard; } 2>/dev/null \
	| sed -nE 's,^(mtpkd_cli|tests)/([a-z]+)/.*,tests/\2,p')
QUICK = $(sort tests/house tests/config tests/metrics tests/models tests/ot \
	$(filter-out tests/benchmarks,$(wildcard $(CHANGED))))
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore=tests/benchmarks

.PHONY: demo lint check test stress clean

demo: $(VENV)/installed
	test -f $(RUN)/study.toml || $(BIN)/mtpkd init $(RUN) --preset sample --data sample_data
	$(BIN)/mtpkd run $(RUN)
	# The same with the labels of three people in ten: what unlabelled recordings teach, and what controls gain.
	$(BIN)/mtpkd curve $(RUN) --label-shares 0.3,1 --method mt-pkdot --method self --method placebo --method all-labels

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint
	$(PYTEST) $(SIDE_BY_SIDE) -q -m "not slow and not stress" $(QUICK)

test: lint
	$(PYTEST) $(SIDE_BY_SIDE)
	# What measures time runs alone.
	$(PYTEST) tests/benchmarks

stress: $(VENV)/installed-dev
	$(PYTEST) $(SIDE_BY_SIDE) -m stress
	$(PYTEST) tests/benchmarks -m stress

$(VENV)/python:
	$(PYTHON) -c 'import sys; sys.exit("mtpkd needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
