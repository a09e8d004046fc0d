# What a person runs here. The first use of any target makes .venv and installs everything into it.
# PYTHON=… names the Python for it; a .venv of another Python is then made anew. VENV=… keeps several side by side.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := sdk core conformance templates $(sort $(wildcard plugins/*))
EDITABLE := $(foreach folder,$(DISTRIBUTIONS),-e $(folder))
SOURCES := $(foreach folder,$(DISTRIBUTIONS),$(folder)/src)
PROJECTS := $(foreach folder,$(DISTRIBUTIONS),$(folder)/pyproject.toml)
BENCH := .venv-bench
COVERAGE := .venv-coverage
VSCODE_JSONRPC := vscode-jsonrpc@10.0.0
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check

# An environment counts only with this file in it: it is written last, at once, and taken away first.
STAMP := .complete
# What the stamp says: which Python, and where it is installed.
IDENTITY := import sys; print(sys.version.split()[0], sys.base_prefix)

# Some machines forbid Python to keep its bytecode. The suites start thousands of interpreters, and pytest rewrites each
# file of tests in each of its workers: without it, a third of the processor's time goes into compiling the same again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo wheels demo-wheels test hostile faults zoo templates check style types layers dependencies bench \
  coverage measure dead-code format clean another-python $(VENV) $(BENCH)

help:
	@echo "make demo         the main job on real input, with a live view   (JSON=1: one JSON object last)"
	@echo "make test         the test suite"
	@echo "make check        style, types, layers, dependencies            (each is a target of its own, too)"
	@echo "make hostile      plugins that misbehave, kill storms           (minutes; JSON=1: one JSON object last)"
	@echo "make faults       every process killed at every crash point      (minutes)"
	@echo "make zoo          broken plugins judge the conformance suite    (QUICK=1: less; JSON=1: one JSON object last)"
	@echo "make templates    each template made, tested, judged; the tutorial  (minutes; JSON=1: one JSON object last)"
	@echo "make bench        host and SDK beside other protocols            (QUICK=1: 30 s; JSON=1: one JSON object last)"
	@echo "make wheels       a wheel of each distribution, in dist/"
	@echo "make demo-wheels  the demo from built wheels, outside this repository"
	@echo "make coverage     how much of each distribution the tests execute, in every process   (minutes)"
	@echo "make dead-code    what seems to have no caller: to be read, never obeyed"
	@echo "make format       let ruff rewrite what it can"
	@echo "make clean        remove $(VENV), $(BENCH), $(COVERAGE) and everything that was built"

demo: $(VENV)
	@$(BIN)/python core/demo/run_demo.py $(if $(JSON),--json)

test: $(VENV)
	@$(BIN)/python -m pytest -q -n 5 --dist worksteal -m "not long and not hostile"

hostile: $(VENV)
	@$(BIN)/python core/tests/hostile/run.py $(if $(JSON),--json)

faults: $(VENV)
	@$(BIN)/python -m pytest -q -n auto -m long core/tests/end_to_end

zoo: $(VENV)
	@$(BIN)/python conformance/zoo/run_zoo.py $(if $(JSON),--json) $(if $(QUICK),--quick)

templates: $(VENV)
	@$(BIN)/python -m pytest -q -m long core/tests/docs
	@$(BIN)/python templates/prove.py $(if $(JSON),--json)

# pre-commit runs the same four, see .pre-commit-config.yaml.
check: style types layers dependencies

style: $(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)
	$(BIN)/mypy $(SOURCES) .ci/coverage

layers: $(VENV)
	$(BIN)/lint-imports --config .importlinter

# An editable installation does not say which modules are in it; where a distribution has one of its own name, deptry guesses.
DEPTRY := --no-ansi --package-module-name-map "animus-sdk=animus_protocol|animus_sdk"

# Each distribution declares what it imports and imports what it declares; its pyproject.toml says what deptry must know.
dependencies: $(VENV)
	@for folder in $(DISTRIBUTIONS); do \
	  echo "deptry $$folder"; (cd $$folder && $(abspath $(BIN))/deptry $(DEPTRY) src) || exit 1; done

# Hooks, fields of models, fixtures and the public API are used from outside; so this is no check.
dead-code: $(VENV)
	@-$(BIN)/vulture $(SOURCES)

format: $(VENV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCH)
	@$(BENCH)/bin/python core/bench/run_bench.py $(if $(JSON),--json) $(if $(QUICK),--quick)

# The tests once more, in an environment where every process is measured from its first line to its last.
coverage:
	@$(MAKE) --no-print-directory measure VENV=$(COVERAGE)

measure: $(VENV)
	@echo 'import runpy; runpy.run_path("$(CURDIR)/.ci/coverage/start.py")' \
	  >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/measured.pth"
	@rm -rf $(VENV)/measured && mkdir $(VENV)/measured
	@$(BIN)/python -m pytest -q -n 5 --dist worksteal -m "not long and not hostile and not bare"; tests=$$?; \
	  $(BIN)/python .ci/coverage/report.py && exit $$tests

# The ./ matters: without it pip takes the name of a folder for a name in an index.
wheels: $(VENV)
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir dist $(addprefix ./,$(DISTRIBUTIONS))
	@echo "The wheels are in $(CURDIR)/dist. pip finds them there: export PIP_FIND_LINKS=$(CURDIR)/dist"

demo-wheels: wheels
	@sh core/demo/from_wheels.sh $(BIN)/python $(if $(JSON),--json)

clean:
	rm -f $(VENV)/$(STAMP) $(BENCH)/$(STAMP) $(COVERAGE)/$(STAMP)
	rm -rf dist $(VENV) $(BENCH) $(COVERAGE) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): $(VENV)/$(STAMP)
$(BENCH): $(BENCH)/$(STAMP)

# A Python that somebody names is the one that they get. Without a name any environment that is complete will do.
another = $(shell test "$$($(PYTHON) -c '$(IDENTITY)' 2>/dev/null)" = "$$(cat $(1)/$(STAMP) 2>/dev/null)" || echo another-python)
ifneq ($(origin PYTHON),file)
$(VENV)/$(STAMP): $(call another,$(VENV))
$(BENCH)/$(STAMP): $(call another,$(BENCH))
endif

# .venv is rebuilt from nothing whenever a pin or a distribution's metadata changes. Whatever ends the installation
# early (Ctrl-C, a full disk, a kill), the stamp is missing, and the next make begins anew.
$(VENV)/$(STAMP): constraints.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Animus needs Python 3.11 or newer, and '$(PYTHON)' is not ($$($(PYTHON) --version 2>&1))."; \
	  echo "Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its venv or ensurepip module is missing."; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@command -v git >/dev/null || { echo "git is missing: the demo and some tests work on real repositories."; exit 1; }
	@echo "Installing into $(VENV) …"
	@rm -f $@ && rm -rf $(VENV)
	@{ $(PYTHON) -m venv $(VENV) \
	  && $(BIN)/$(PIP_INSTALL) -r constraints.txt \
	  && $(BIN)/$(PIP_INSTALL) --no-build-isolation --no-deps $(EDITABLE) \
	  && $(BIN)/python -m pip check \
	  && $(PYTHON) -c '$(IDENTITY)' >$@.new && mv $@.new $@; } \
	  || { rm -rf $(VENV); echo "The installation failed; nothing is left of it."; exit 1; }

# The peers of `make bench` and what they need stay apart from $(VENV); the one for Node is left out where it cannot be.
$(BENCH)/$(STAMP): constraints.txt core/bench/requirements.txt sdk/pyproject.toml core/pyproject.toml
	@echo "Installing into $(BENCH) …"
	@rm -f $@ && rm -rf $(BENCH)
	@{ $(PYTHON) -m venv $(BENCH) \
	  && $(BENCH)/bin/$(PIP_INSTALL) -c constraints.txt -r core/bench/requirements.txt hatchling editables \
	  && $(BENCH)/bin/$(PIP_INSTALL) -c constraints.txt --no-build-isolation -e sdk -e core \
	  && $(BENCH)/bin/python -m pip check; } \
	  || { rm -rf $(BENCH); echo "The installation failed; nothing is left of it."; exit 1; }
	@{ command -v npm >/dev/null \
	  && npm install --silent --no-save --no-package-lock --prefix $(BENCH)/node $(VSCODE_JSONRPC); } \
	  || { rm -rf $(BENCH)/node; echo "$(VSCODE_JSONRPC) cannot be installed; make bench leaves it out."; }
	@$(PYTHON) -c '$(IDENTITY)' >$@.new && mv $@.new $@
