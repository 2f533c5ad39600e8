# make up: everything from nothing to a first answer. make test: all tests. No step runs twice without a reason.
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq install

.PHONY: up test chaos soak lint bench images lock clean
.DELETE_ON_ERROR:

up: .venv/.runtime
	@exec $(BIN)/nexus up

test: .venv/.dev
	$(BIN)/python .ci/service_tests.py
	$(BIN)/pytest --numprocesses 3 --dist loadfile

# FORM=long: minutes are minutes.
chaos: .venv/.dev
	NEXUS_TEST_CHAOS=$(or $(FORM),short) $(BIN)/pytest tests/chaos

soak: .venv/.dev
	$(BIN)/python -m tests.chaos.soak --minutes $(or $(MINUTES),30)

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	.ci/no-service-named

bench: .venv/.dev
	$(BIN)/python -m bench

images:
	deploy/build

.venv/.runtime: pyproject.toml requirements/runtime.lock
	@python=$$(.ci/find-python) && echo "Making the environment with $$python" && "$$python" -m venv .venv
	@echo "Installing Nexus"
	@$(PIP) --no-deps --require-hashes -r requirements/runtime.lock
	@$(PIP) --no-deps -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.lock
	@echo "Installing the tools for tests and checks"
	@$(PIP) --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

# Pins every dependency anew. The files hold hashes and no addresses.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: .venv/.runtime
	$(COMPILE) --upgrade pyproject.toml -o requirements/runtime.lock
	$(COMPILE) --upgrade --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(COMPILE) --upgrade services/requirements-test.txt -o requirements/service-tests.lock
	printf "hatchling\n" | $(COMPILE) --upgrade - -o requirements/build.lock

clean:
	rm -rf .venv .nexus .bench dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
