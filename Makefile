# Every command of the project; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
export UV_NO_CONFIG := 1
export UV_PYTHON_DOWNLOADS := never
# Hundreds of processes start here; without a cache each of them compiles every library anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# --- Installing -----------------------------------------------------------

$(VENV)/uv.stamp: requirements/bootstrap.lock scripts/system-packages
	scripts/system-packages run
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.lock
	touch $@

$(VENV)/python.stamp: $(VENV)/uv.stamp requirements/dev.lock pyproject.toml mqtt/pyproject.toml flow/pyproject.toml flow/hatch_build.py $(wildcard flow/src/moorage_flow/columnar/kernels/*.[ch])
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/bootstrap.lock requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e flow -e mqtt -e .
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c "from moorage_flow import App; App.parse('define stream S (n int);')"
	touch $@

CONSOLE_SOURCES := $(shell find console -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/screenshots/*' 2>/dev/null)

$(VENV)/node.stamp: $(VENV)/uv.stamp requirements/node.lock scripts/node
	scripts/node node --version >/dev/null
	touch $@

console/node_modules/.stamp: $(VENV)/python.stamp $(VENV)/node.stamp console/package-lock.json console/package.json
	scripts/node npm --prefix console ci --no-audit --no-fund --loglevel=error
	touch $@

PEERS := tests/builtin/transports/peers
$(PEERS)/node_modules/.stamp: $(VENV)/python.stamp $(VENV)/node.stamp $(PEERS)/package-lock.json $(PEERS)/package.json
	scripts/node npm --prefix $(PEERS) ci --no-audit --no-fund --loglevel=error
	touch $@

NODE_RED := tests/peers/node_red
$(NODE_RED)/node_modules/.stamp: $(VENV)/python.stamp $(VENV)/node.stamp $(NODE_RED)/package-lock.json $(NODE_RED)/package.json
	scripts/node npm --prefix $(NODE_RED) ci --no-audit --no-fund --loglevel=error
	touch $@

PROVIDER := tests/identity_providers/provider
$(PROVIDER)/node_modules/.stamp: $(VENV)/python.stamp $(VENV)/node.stamp $(PROVIDER)/package-lock.json $(PROVIDER)/package.json
	scripts/node npm --prefix $(PROVIDER) ci --no-audit --no-fund --loglevel=error
	touch $@

src/moorage/console/index.html: console/node_modules/.stamp $(CONSOLE_SOURCES) $(shell find src/moorage -name '*.py')
	scripts/build-console
	touch $@

.PHONY: install console
install: $(VENV)/python.stamp ## Install everything the server needs into .venv
console: src/moorage/console/index.html ## Build the console

# --- Using ----------------------------------------------------------------

.PHONY: run demo
run: install console ## Start the whole platform on this machine
	$(BIN)/moorage run

demo: install console ## Start the platform with a simulated fleet
	$(BIN)/moorage run --demo

# --- Checking -------------------------------------------------------------

# Beside the others, yet in a process of their own: a browser's driver keeps an event loop running,
# which other tests' loops do not bear.
ALONE := -o addopts="--import-mode=importlib --strict-markers --strict-config -q"

.PHONY: test test-server test-console screenshots test-peers test-flink test-arm vectors
.PHONY: check check-types check-style check-imports check-console format
# Side by side: alone, each leaves a third of two cores idle, waiting for servers and browsers. Each
# tells what it has to say when it is done, but for the longest, which would be silent for minutes.
test: install ## Check and test everything
	scripts/system-packages test
	$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target TOLD='>&9' \
	  test-server test-console check 9>&1

test-server: install $(PEERS)/node_modules/.stamp $(PROVIDER)/node_modules/.stamp
	$(BIN)/pytest $(TOLD)

test-console: check-console $(PROVIDER)/node_modules/.stamp
	$(BIN)/pytest tests/console $(ALONE) -n 1

screenshots: console $(PROVIDER)/node_modules/.stamp ## Make pictures of all pages, in console/screenshots
	SCREENSHOTS=$(CURDIR)/console/screenshots $(BIN)/pytest tests/console $(ALONE) -n 1

.cache/authzforce/.stamp: tests/peers/authzforce/pom.xml
	scripts/system-packages test peers
	mvn --batch-mode --quiet --strict-checksums --file $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.cache/authzforce
	touch $@

.cache/keycloak/.stamp: tests/peers/keycloak/pom.xml
	scripts/system-packages test peers
	rm -rf .cache/keycloak
	mvn --batch-mode --quiet --strict-checksums --file $< dependency:unpack-dependencies \
	  -DoutputDirectory=$(CURDIR)/.cache/keycloak -DmarkersDirectory=$(CURDIR)/.cache/keycloak/markers
	touch $@

test-peers: install .cache/authzforce/.stamp .cache/keycloak/.stamp $(PEERS)/node_modules/.stamp $(NODE_RED)/node_modules/.stamp ## Run what takes long: heavy outside servers, several listeners, searches
	scripts/system-packages test peers
	$(BIN)/pytest -m 'long or search' --hypothesis-profile=thorough --timeout=1200
	$(BIN)/pytest tests/peers $(ALONE) --timeout=600

$(VENV)/flink.stamp: $(VENV)/uv.stamp requirements/flink.lock
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(VENV)/flink
	$(BIN)/uv pip sync --quiet --python $(VENV)/flink/bin/python --require-hashes requirements/flink.lock
	touch $@

test-flink: install $(VENV)/flink.stamp ## Hold what to-flink writes, on Flink's mini-cluster, against the engine
	scripts/system-packages flink
	$(BIN)/pytest flow/tests/cluster $(ALONE) --timeout=900

$(VENV)/wheels.stamp: $(VENV)/uv.stamp requirements/wheels.lock
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(VENV)/wheels
	$(BIN)/uv pip sync --quiet --python $(VENV)/wheels/bin/python --require-hashes requirements/wheels.lock
	touch $@

# The engine's, for one machine: zig compiles its kernels for an old C library, and for ARM64.
FLOW_WHEEL = $(VENV)/wheels/bin/python -m build --quiet --wheel --no-isolation flow

test-arm: install $(VENV)/wheels.stamp ## Run the engine's wheel for ARM64 on an emulated machine, and compare
	scripts/system-packages arm
	rm -f .cache/arm64/*.whl
	KERNELS_FOR=aarch64 $(FLOW_WHEEL) --outdir .cache/arm64
	$(BIN)/pytest flow/tests/arm $(ALONE) --timeout=900

VECTORS ?= ../shared/vectors/siddhi

vectors: install ## Run the engine's conformance vectors from the folder VECTORS
	$(BIN)/moorage-flow verify --known flow/tests/known_failures.txt $(VECTORS)/*.json

check: check-types check-style check-imports ## Style, types, import contracts

check-types: install
	$(BIN)/mypy

check-style: install
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

check-imports: install
	$(BIN)/lint-imports --no-cache

check-console: console
	scripts/node npm --prefix console run --silent check
	scripts/node npm --prefix console run --silent test

format: install ## Lay the code out
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: fuzz-mqtt fuzz-flow
.cache/fuzz.stamp: $(VENV)/python.stamp requirements/fuzz.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target .cache/fuzz --require-hashes -r requirements/fuzz.lock
	touch $@

fuzz-mqtt: install .cache/fuzz.stamp ## Fuzz the MQTT core with bytes for a minute
	cd mqtt/tests && PYTHONPATH=$(CURDIR)/.cache/fuzz $(CURDIR)/$(BIN)/python fuzz_bytes.py -max_total_time=60 -max_len=300

fuzz-flow: install .cache/fuzz.stamp ## Fuzz the engine's reader of JSON lines with bytes for a minute
	cd flow/tests && PYTHONPATH=$(CURDIR)/.cache/fuzz $(CURDIR)/$(BIN)/python fuzz_json.py -max_total_time=60 -max_len=200

# --- Measuring ------------------------------------------------------------

.PHONY: bench bench-mqtt bench-flow
bench: install ## Measure; prints machine, method and figures
	$(BIN)/python -m bench

bench-mqtt: install ## Measure broker and door beside Mosquitto and NATS
	scripts/system-packages test
	$(BIN)/python -m bench broker door fronts

bench-flow: install $(VENV)/siddhi.stamp ## Measure the event engine beside the real Siddhi
	scripts/system-packages siddhi
	$(BIN)/python -m bench flow flow-json

$(VENV)/siddhi.stamp: $(VENV)/uv.stamp requirements/siddhi.lock
	$(BIN)/uv pip install --quiet --target $(VENV)/siddhi --no-deps --require-hashes -r requirements/siddhi.lock
	touch $@

# --- Releasing ------------------------------------------------------------

.PHONY: lock wheel
lock: $(VENV)/uv.stamp ## Renew the lock files
	cd requirements && for n in bootstrap server dev siddhi fuzz flink wheels; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	    --upgrade $$n.in $$( [ $$n = dev ] && echo -c server.lock; [ $$n = wheels ] && echo -c dev.lock; [ $$n = siddhi ] && echo --no-deps ) -o $$n.lock; done

wheel: install console $(VENV)/wheels.stamp ## Build the wheels into dist/
	rm -rf dist
	for machine in x86_64 aarch64; do KERNELS_FOR=$$machine $(FLOW_WHEEL) --outdir dist || exit 1; done
	$(BIN)/python -m build --quiet --wheel --no-isolation --outdir dist mqtt
	$(BIN)/python -m build --quiet --wheel --no-isolation --outdir dist .
