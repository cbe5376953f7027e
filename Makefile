# Two commands: `make run` serves on 127.0.0.1:8080 (HL7 v2 over MLLP on 127.0.0.1:2575), `make test` runs every test. Both make .venv the first time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Of what tests take a quarter is waiting for services that start, drain and are killed: one worker more than cores uses it.
WORKERS = $(shell $(BIN)/python -c 'import os; print(len(os.sched_getaffinity(0)) + 1)')
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test install lint bench pictures foreign-clients sbom image-check ci clean

run: $(VENV)/.serving
	@CDS_CLIENT_AUTH=$${CDS_CLIENT_AUTH:-off} $(BIN)/cds migrate
	@CDS_CLIENT_AUTH=$${CDS_CLIENT_AUTH:-off} CDS_MLLP_BIND=$${CDS_MLLP_BIND-127.0.0.1:2575} $(BIN)/cds serve --try fixtures/hooks/try.json

test: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

install: $(VENV)/.development

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.development
	$(BIN)/python -m bench

# The pictures of the documentation, from a rehearsed hospital; takes a few minutes and needs Chromium.
pictures: $(VENV)/.development
	$(BIN)/python -m tests.browser.pictures docs/pictures

foreign-clients: $(BIN)/python
	npm ci --silent --prefix tests/foreign
	$(BIN)/python -m venv .venv-foreign
	.venv-foreign/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/foreign/requirements.txt

# A bill of materials of what is served, from the lock: CycloneDX, JSON.
sbom: $(BIN)/python
	@$(BIN)/python deploy/sbom.py

# Builds the image and holds a container of it to what docs/howto/behind-a-proxy.md says; needs a container engine.
image-check: $(VENV)/.serving
	$(BIN)/python -m deploy.check_image

ci:
	bash .ci/run

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serving: $(BIN)/python requirements.txt pyproject.toml
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q cds_service
	@touch $@

$(VENV)/.development: $(VENV)/.serving requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@
