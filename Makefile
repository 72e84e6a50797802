# Two commands on a fresh machine: `make run` and `make test`. Both set up what they need first.
PYTHON ?= python3
USECASE ?= flights
WORKERS ?= 2
BIN := .venv/bin

.PHONY: install run test lint bench lock clean

install: .venv/.installed

# uv's own line of the lock installs uv, hash checked; uv installs the rest. The wheels of the image are fetched now,
# so that images can be built later without a network.
.venv/.installed: requirements.lock infra/serving.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Slipway needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(BIN)/pip install --quiet --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	$(BIN)/python infra/wheels.py .venv/wheels
	touch $@

run: install
	$(BIN)/slipway run $(USECASE) $(if $(ONCE),--once)

# Two files of tests at a time, since many wait for processes to start; the tests of a file share a home, in their order.
test: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

# Versions and hashes, no index address.
lock: install
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock
	$(BIN)/uv pip compile infra/serving.in --python-platform linux --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements.lock -o infra/serving.lock

clean:
	rm -rf .venv .slipway
