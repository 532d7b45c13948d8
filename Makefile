# Every target does its own set-up: a virtual environment in .venv with exactly the versions in requirements/dev.txt.
#
#   make rehearse     the whole move in the lab on this machine; prints the verdict, writes reports/
#   make test         the project's tests, with branch coverage (make test ARGS="tests/test_gate.py -x")
#   make lint         ruff and mypy
#   make docs         make the generated pages again
#   make bench        the side by side measurements in bench/
#   make lock         resolve requirements/dev.txt anew (needs uv)
#   make clean        remove everything that was made here

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
JOBS ?= 2

# Where this is set every process compiles every module anew, which doubles the time of runs that start many.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help rehearse test lint docs bench lock clean

help:
	@sed -n 's/^#   \(make .*\)/\1/p' Makefile

# The stamp is newer than what decides the environment's content, so a second run finds nothing to do.
$(READY): requirements/dev.txt pyproject.toml .ci/set-up
	@.ci/set-up $(VENV)
	@touch $@

rehearse: $(READY)
	@$(BIN)/python -m pytest suites --rehearse --apply $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report term:skip-covered $(ARGS) | tee reports/test.log; \
	status=$${PIPESTATUS[0]}; tail -n 1 reports/test.log; exit $$status

lint: $(READY)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

docs: $(READY)
	@$(BIN)/kovra-checks checks --markdown > docs/checks.md
	@$(BIN)/kovra-checks faults --markdown > docs/faults.md
	@sed '/^<!-- generated/q' docs/configuration.md > docs/.configuration.md
	@echo >> docs/.configuration.md
	@$(BIN)/kovra-checks schema --markdown >> docs/.configuration.md
	@mv docs/.configuration.md docs/configuration.md

bench: $(READY)
	@for script in bench/bench_*.py; do \
	  [ -e "$$script" ] || { echo "bench/ holds no bench_*.py"; exit 1; }; \
	  echo "== $$script"; $(BIN)/python "$$script" $(ARGS); \
	done

lock:
	@command -v uv > /dev/null || { echo "make lock needs uv; install it and put it on the PATH" >&2; exit 1; }
	@uv pip compile pyproject.toml --group dev --universal --upgrade --generate-hashes \
	  --custom-compile-command "make lock" --output-file requirements/dev.txt --quiet

clean:
	@rm -rf $(VENV) dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info .kovra
	@find reports -mindepth 1 ! -name .gitkeep -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
