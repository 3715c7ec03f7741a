# The only entry points: people and CI call these and nothing else.
# `make setup` once; every other target does it by itself when something changed.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KERNELS := $(VENV)/.kernels
ARGS ?=
# One more than the two cores of a small machine: many tests wait for servers and for real time.
TESTERS ?= 3
BENCHMARKS := $(filter-out report load faults storage columns truth,$(patsubst benchmarks/%.py,%,$(wildcard benchmarks/[a-z]*.py)))

# What the environment says must reach neither the product nor its tests.
unexport PYTHONPATH PYTHONHOME

.PHONY: help setup environment servers demo check test bench bench-load bench-faults bench-storage fuzz lock clean
.DEFAULT_GOAL := help

help:
	@echo "make setup            create $(VENV) with hanhtrinh and its pinned dependencies"
	@echo "make demo             the whole product with a simulated fleet (ARGS=\"--duration 40\")"
	@echo "make check            lint, format, types, import contracts; changes no file"
	@echo "make test             make check, and every test (ARGS: more for pytest)"
	@echo "make bench            every benchmark (ARGS=--quick for a short run)"
	@echo "make bench-load       many connections (ARGS=\"--vehicles N --interval S --duration S --json\")"
	@echo "make bench-faults     everything that can fail does (ARGS=\"--only replay --scale 0.1 --json\")"
	@echo "make bench-storage    how fixes are kept and found (ARGS=\"--rows 5000000 --dsn DSN --json\")"
	@echo "make fuzz             look for payloads that break a codec (ARGS=\"--seconds 60 --codec nmea\")"
	@echo "make servers          install brokers and promtool for the tests (Debian, as root)"
	@echo "make lock             resolve requirements.lock anew from pyproject.toml (needs uv)"
	@echo "make clean            remove $(VENV) and caches"

setup: $(KERNELS)

environment: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "hanhtrinh needs Python 3.11 or newer; this machine has: $$(python3 --version 2>&1)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "installing dependencies into $(VENV)"
	@# Python compiles what is imported; pip would compile everything first, a third of its time.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Compiled here, once, not at the start of the demo and in every process of the tests.
$(KERNELS): $(READY) $(shell find geofence devices -name '*.py')
	@echo "compiling the kernels"
	@$(BIN)/hanhtrinh warm
	@touch $@

demo: $(KERNELS)
	@$(BIN)/hanhtrinh demo $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check $(KERNELS)
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadscope --no-loadscope-reorder $(ARGS)

# For tests alone, which skip what is not there: so nothing that goes wrong here is a failure. The
# packages would start their servers: a policy of Debian's forbids it for as long as they install.
# Of Prometheus the checker of its rules is enough: out of the package, without what that depends on.
servers:
	@if command -v mosquitto >/dev/null && test -x /usr/lib/rabbitmq/bin/rabbitmq-server \
		&& command -v promtool >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "make servers installs mosquitto, rabbitmq-server and promtool as root, with apt-get: skipped"; exit 0; fi; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then trap "rm -f $$policy" EXIT; \
		printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -qq --no-install-recommends mosquitto rabbitmq-server >/dev/null \
		|| echo "make servers: the packages could not be installed; their tests will be skipped"; \
	command -v promtool >/dev/null || { made=$$(mktemp -d) && chmod 755 $$made \
		&& (cd $$made && apt-get download -qq -o APT::Sandbox::User=root prometheus && dpkg --fsys-tarfile prometheus_*.deb \
			| tar -x -C /usr/local --strip-components=2 ./usr/bin/promtool); got=$$?; rm -rf $$made; \
		[ $$got = 0 ]; } || echo "make servers: promtool could not be had; its test will be skipped"

bench: $(KERNELS)
	@for name in $(BENCHMARKS); do \
		echo "== $$name"; $(BIN)/python -m benchmarks.$$name $(ARGS) || exit 1; done

bench-load: $(KERNELS)
	@$(BIN)/python -m benchmarks.load $(ARGS)

bench-faults: $(KERNELS)
	@$(BIN)/python -m benchmarks.faults $(ARGS)

bench-storage: $(KERNELS)
	@$(BIN)/python -m benchmarks.storage $(ARGS)

fuzz: $(READY)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --no-build-isolation -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz $(ARGS)

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
