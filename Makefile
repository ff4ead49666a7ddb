# `make demo` shows the mock at work, `make test` checks everything, `make serve` keeps the mock running,
# `make docs` writes the generated pages and the site, `make bench` measures the mock beside its peers.
# A fresh machine needs Python 3.11 or newer, and make. PYTHON=… names another interpreter.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for it in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$it -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$it; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv/.peers

.PHONY: demo serve test services docs bench bench-growth bench-soak bench-company bench-profile clean

demo: $(READY)
	@$(BIN)/python demo/run.py

serve: $(READY)
	@$(BIN)/python -m mockserver

test: $(READY) services
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

# What the tests need beside Python. Where it can be installed without asking, it is.
services:
	@command -v redis-server >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then echo "Installing redis-server."; export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
			apt-get update -qq && apt-get install -qq -y redis-server >/dev/null; \
		else echo "The tests need redis-server (Redis 7 or newer) on the PATH: apt install redis-server, brew install redis."; exit 1; \
		fi; }

docs: $(READY)
	@$(BIN)/python docs/build.py

# BENCH=… are options of the script, such as BENCH="--rounds 9 --full".
bench: $(PEERS)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

bench-growth bench-soak bench-company: bench-%: $(PEERS)
	@$(BIN)/python benchmarks/$*.py $(BENCH)

bench-profile: $(PEERS)
	@$(BIN)/python benchmarks/profile_request.py $(BENCH)

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
