# Two commands on a fresh machine: `make run` and `make test`.
# HOST and PORT: the environment variables GRADIO_SERVER_NAME and GRADIO_SERVER_PORT.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check benchmark clean

run: .venv/app.stamp
	$(BIN)/python app.py

test: .venv/test.stamp check
	$(BIN)/python -m pytest -q

check: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

benchmark: .venv/benchmark.stamp
	$(BIN)/python -m tests.benchmarks

.venv/app.stamp: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test.stamp: .venv/app.stamp tests/requirements.txt tests/install-browser
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements.txt
	sh tests/install-browser
	touch $@

.venv/benchmark.stamp: .venv/test.stamp tests/benchmarks/requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/benchmarks/requirements.txt
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
