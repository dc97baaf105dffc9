# `make` lists the targets. Everything runs in .venv, which `make setup` builds from the package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PROTOS := $(wildcard protos/sluis/v1/*.proto)
GEN := protos/gen/python

# Modules are compiled once, and not at each of the hundreds of starts of a program in the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo sandbox test check lint types imports proto proto-check proto-breaking bench otelcol clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml custody/pyproject.toml clients/python/pyproject.toml $(GEN)/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sluis needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e $(GEN) -e custody -e clients/python -e '.[dev]'
	@touch $@

setup: $(STAMP) ## make .venv with Sluis and its tools

demo: $(STAMP) ## play one exchange end to end under demo-run/
	@$(BIN)/python deploy/demo/play.py

sandbox: $(STAMP) ## the demo's world, left running for an integrator to try
	@$(BIN)/python deploy/demo/play.py --sandbox

test: $(STAMP) lint types imports proto-check proto-breaking ## all gates and all tests, with coverage
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term -q

check: $(STAMP) lint types imports ## the quick suite
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not slow"

lint: $(STAMP) ## ruff and buf lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/buf lint

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy
	$(BIN)/mypy clients/auditor/sluis_verify.py

imports: $(STAMP) ## import rules
	$(BIN)/lint-imports

proto: $(STAMP) ## regenerate the Python code of protos/
	$(BIN)/python -m grpc_tools.protoc -I protos --python_out=$(GEN) --grpc_python_out=$(GEN) \
		--mypy_out=$(GEN) --mypy_grpc_out=$(GEN) \
		--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc $(PROTOS)

proto-check: $(STAMP) ## fail when generated code differs from protos/
	$(BIN)/python tests/gates/proto_drift.py

proto-breaking: $(STAMP) ## fail when the wire contract breaks against main
	$(BIN)/python tests/gates/proto_breaking.py

bench: $(STAMP) ## print the measurements beside their yardsticks
	@for b in tests/bench/*.py; do case $$b in */_*) ;; *) echo "== $$b"; $(BIN)/python $$b || exit 1;; esac; done

otelcol: ## build the OpenTelemetry collector that a test sends to (Go, some minutes); without it that test is skipped
	cd tests/otelcol && go build -o otelcol .

clean: ## remove .venv, caches and what the demo made
	rm -rf $(VENV) demo-run sandbox-run .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
