# Each target is a line or two that a person could type. Needs Python 3.11, 3.12 or 3.13 and, once, the network for pip.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
EXPERIMENT ?= quick
PYTEST := $(BIN)/python -m pytest
# The first Python on PATH of a version that we test with and that can make a virtual environment; PYTHON=... overrides it.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$name; break; }; done)
# pip's own output without the lines that only tire: what it fetches, what it installs, what went wrong.
SHOW := sed -u -n -E 's/^Successfully installed.*/  done/p; /^ *(Downloading|Using cached|Installing collected|ERROR|error)/p' | cut -c1-120

.PHONY: help
help: ## list the targets
	@sed -n -E 's/^([a-z-]+):.*## /\1\t/p' Makefile | expand -t 14

.PHONY: quick
quick: .venv/.installed ## train three models on real digits and report, in ten minutes
	@$(BIN)/snakemake --quiet host progress reason rules --config experiment=quick
	@$(BIN)/sgad verify quick --brief || [ $$? -eq 1 ]
	@echo "The report is ready: $(CURDIR)/results/experiments/quick/report.html"

.PHONY: test
test: .venv/.installed ## the fast tests
	$(PYTEST) -n 2 --dist loadfile

.PHONY: test-slow
test-slow: .venv/.installed ## the tests that take minutes
	$(PYTEST) -m "slow and not gpu and not browser"

.PHONY: test-gpu
test-gpu: .venv/.installed ## the tests that need a CUDA device
	$(PYTEST) -m gpu

.PHONY: gpu-check
gpu-check: .venv/.installed ## check and time the CUDA paths in nine minutes, write gpu-check.json
	$(BIN)/python -m benchmarks.gpu_check $(if $(wildcard data/digits/manifest.json),--data data)

.PHONY: test-browser
test-browser: .venv/.browser ## the report page in headless Chromium (Debian: apt install chromium)
	$(PYTEST) -m browser

.PHONY: lint
lint: .venv/.lint ## style, types, workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(PYTEST) tests/test_workflow.py -q -k lint

.PHONY: readme
readme: .venv/.installed ## the results in README.md, from stored results
	$(BIN)/python -m sgad.reporting.readme

.PHONY: docs-numbers
docs-numbers: .venv/.installed ## the documents whose numbers are looked up, from the reference
	$(BIN)/python -m sgad.reporting.prose docs

.PHONY: docs-figures
docs-figures: .venv/.installed ## the figures that README and documents show, from the reference
	$(BIN)/python -m docs.figures

.PHONY: docs
docs: .venv/.docs ## the site in build/docs; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --quiet
	@echo "The documents are ready: $(CURDIR)/build/docs/index.html"

.PHONY: bench
bench: .venv/.installed ## measure speed, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

.PHONY: rehearsal
rehearsal: .venv/.installed ## all of `paper` but its size, on FROM=DIR (MNIST, FashionMNIST, CIFAR-10, faces); 40 minutes on 2 cores
	$(BIN)/python -m benchmarks.rehearsal --from $(or $(FROM),data/raw)

.PHONY: chaos
chaos: .venv/.installed ## faults on purpose (kills, full disks, damaged files), write docs/reliability.md
	$(BIN)/python -m benchmarks.chaos

.PHONY: regenerate
regenerate: .venv/.installed ## tables, figures and report of EXPERIMENT from stored results
	$(BIN)/snakemake regenerate --quiet host progress reason rules --config experiment=$(EXPERIMENT)

.PHONY: reports
reports: .venv/.installed ## pages of all stored experiments, own or of the reference, and results/index.html
	@$(BIN)/sgad reports

.PHONY: clean
clean: ## remove .venv and caches; data/ and results/ stay
	rm -rf .venv .snakemake .pytest_cache .mypy_cache .ruff_cache logs build *.egg-info

.venv/.installed: pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.11, 3.12 or 3.13 with its venv module found on PATH;" \
	  "install one (Debian: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "Making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv .venv; }
	@echo "Installing the pinned packages into .venv (once; PyTorch with CUDA is about 5 GB)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[all,test]' 2>&1 | $(SHOW)
	@touch $@

.venv/.lint: .venv/.installed
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[lint]' 2>&1 | $(SHOW)
	@touch $@

.venv/.browser: .venv/.installed
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[browser]' 2>&1 | $(SHOW)
	@touch $@

.venv/.docs: .venv/.installed
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[docs]' 2>&1 | $(SHOW)
	@touch $@
