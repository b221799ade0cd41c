# The front door. Every target bootstraps .venv by itself; nothing but Python >= 3.11 and make need be there.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 3

.PHONY: help demo test lint bench soak docs generate lock clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): requirements/dev.txt pyproject.toml tools/bootstrap.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash tools/bootstrap.sh

demo: $(STAMP) ## The whole chain on this machine: a cluster, an AWS, one IRSA, real tokens (about a minute)
	@$(BIN)/irsa-manager demo
	@command -v irsa-manager >/dev/null || echo "Here irsa-manager is $(BIN)/irsa-manager (or: source $(BIN)/activate)"

test: $(STAMP) ## All tests, on a real API server and the enforcing sandbox
	@$(BIN)/irsa-manager sandbox build
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

lint: $(STAMP) ## ruff, mypy --strict, generated files up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.generate --check

bench: $(STAMP) ## Measure: start-up, calls per object, sweep cost
	$(BIN)/python -m bench

soak: $(STAMP) ## The long campaigns; make test runs a short form of each
	IRSA_SOAK=1 $(BIN)/python -m pytest -n 0 -m soak --timeout 3600 $(ARGS)

docs: $(STAMP) ## Build the documentation site into site/
	$(BIN)/python -m tools.generate
	$(BIN)/mkdocs build --strict

generate: $(STAMP) ## Write what is generated: CRDs, the page of reasons
	$(BIN)/python -m tools.generate

lock: $(STAMP) ## Resolve the dependencies anew, with hashes
	PYTHON="$(PYTHON)" VENV="$(VENV)" bash tools/lock.sh

clean: ## Remove what was built here (not the cached control plane)
	rm -rf $(VENV) site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
