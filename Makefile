# Two commands on a fresh machine: `make demo` and `make test`. Each does its own set-up.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
VIEW ?= 1
DEMO ?= demo

.PHONY: setup demo test bench bench-flow bench-viewer bench-cohort bench-server verify lint lock clean

setup:
	@$(PYTHON) bootstrap.py

demo: setup
	@$(BIN)/ccta demo $(DEMO) --seed $(SEED) $(if $(filter 0,$(VIEW)),--no-view,)

# In the order of the files: Triton, which training loads, crashes where Mesa has drawn before (two LLVMs in one process).
test: setup
	@$(PYTHON) bootstrap.py --tests
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

bench: setup
	@$(BIN)/python -m tests.benchmarks.reading
	@$(BIN)/python -m tests.benchmarks.hostile_input
	@$(BIN)/python -m tests.benchmarks.end_to_end
	@$(BIN)/python -m tests.benchmarks.centerlines_vmtk
	@$(BIN)/ccta evaluate calcium
	@$(BIN)/ccta evaluate segmentation
	@$(BIN)/ccta evaluate segmentation --far

bench-flow: verify
	@$(BIN)/python -m tests.benchmarks.network
	@$(BIN)/python -m tests.benchmarks.flow_cohort

bench-viewer: setup
	@$(PYTHON) bootstrap.py --tests
	@$(BIN)/python -m tests.benchmarks.viewer $(CASE)
	@$(BIN)/python -m tests.benchmarks.viewer_random

bench-cohort: setup
	@$(BIN)/python -m tests.benchmarks.cohort $(COHORT)

bench-server: setup
	@$(PYTHON) bootstrap.py --tests
	@$(BIN)/python -m tests.benchmarks.server $(STUDY)
	@$(BIN)/python -m tests.benchmarks.server_kills
	@$(BIN)/python -m tests.benchmarks.full_disk
	@$(BIN)/python -W ignore -m tests.benchmarks.fuzz_pdus
	@$(BIN)/python -m tests.benchmarks.fuzz_web 10000
	@$(BIN)/python -m tests.benchmarks.page_times 10000

verify: setup
	@$(BIN)/python -m tests.benchmarks.verification

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

lock: setup
	@$(BIN)/python -m uv pip compile pyproject.toml --extra dev --python-version 3.12 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf .venv demo
