# `make demo` shows the mock at work, `make test` checks everything, `make serve` keeps the mock running,
# `make docs` writes the generated pages and the site, `make bench` measures the mock beside its peers.
# A fresh machine needs Python 3.11 or newer, and make. PYTHON=… names another interpreter.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for it in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$it -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$it; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv/.peers
SERVICES := redis-server nginx chromium

.PHONY: demo serve test services docs screenshots bench bench-growth bench-soak bench-company bench-profile clean

demo: $(READY)
	@$(BIN)/python demo/run.py

serve: $(READY)
	@$(BIN)/python -m mockserver

test: $(READY) services
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What the tests need beside Python. Where it can be installed without asking, it is. Without a browser the tests of the
# page are skipped, except in CI.
services:
	@PATH="$$PATH:/usr/sbin"; for it in $(SERVICES); do command -v $$it >/dev/null || missing="$$missing $$it"; done; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then echo "Installing$$missing."; export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -qq -y $$missing >/dev/null; \
	else echo "The tests need$$missing (Redis 7 or newer) on the PATH: apt install$$missing, brew install redis nginx chromium."; \
		command -v redis-server >/dev/null && command -v nginx >/dev/null; \
	fi

docs: $(READY)
	@$(BIN)/python docs/build.py

# BENCH=… are options of the script, such as BENCH="--rounds 9 --full".
bench: $(PEERS)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

bench-growth bench-soak bench-company: bench-%: $(PEERS)
	@$(BIN)/python benchmarks/$*.py $(BENCH)

bench-profile: $(PEERS)
	@$(BIN)/python benchmarks/profile_request.py $(BENCH)

# The pictures in docs/pages, taken anew.
screenshots: $(READY) services
	@$(BIN)/python docs/screenshots.py

clean:
	rm -rf .venv site benchmarks/prism/node_modules

# Once, and again when the dependencies change.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer; PYTHON=… names one."; exit 1; }
	@echo "Setting up .venv; this happens once and takes a minute."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# What the mock is measured against; Prism where Node.js is installed, none of its packages' scripts being run.
$(PEERS): $(READY) benchmarks/prism/package-lock.json
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@if command -v npm >/dev/null; then npm ci --silent --ignore-scripts --prefix benchmarks/prism; fi
	@touch $@
