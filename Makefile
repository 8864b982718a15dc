# The README's commands. What they install lives in .venv; what the app keeps lies outside the
# clone (`tutee locate` says where).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run install test check words docs bench stress clean

run: install
	$(BIN)/tutee

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Tutee needs Python 3.11 or newer; try: make PYTHON=python3.12 install" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

test: install
	$(BIN)/pytest --numprocesses 2

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What Tutee says, gathered anew into the catalogs of the other languages.
words: install
	$(BIN)/python -m tests.catalog

# The documents that list commands, settings and keys, made from the code.
docs: install
	$(BIN)/python -m tests.reference_docs

# The tests that wait on a terminal, a thread or a process, 20 times beside a load of 6.
stress: install
	$(BIN)/python -m tests.stress

bench: install
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv
