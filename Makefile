# `make demo` shows the mock at work, `make test` checks everything, `make serve` keeps the mock running,
# `make docs` writes the generated pages and the site.
# A fresh machine needs Python 3.11 or newer, and make. PYTHON=… names another interpreter.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for it in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$it -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$it; break; }; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo serve test docs clean

demo: $(READY)
	@$(BIN)/python demo/run.py

serve: $(READY)
	@$(BIN)/python -m mockserver

test: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

docs: $(READY)
	@$(BIN)/python docs/build.py

clean:
	rm -rf .venv site

# Once, and again when the dependencies change.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer; PYTHON=… names one."; exit 1; }
	@echo "Setting up .venv; this happens once and takes a minute."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
