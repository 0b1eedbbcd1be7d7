# `make demo` and `make test` set up .venv on the first call and reuse it afterwards.
PYTHON ?= python3
OUTPUT ?= runs/demo
VENV   := .venv
BIN    := $(VENV)/bin

# Two makes in two terminals must not install into one environment at once (macOS has no flock).
LOCK    := $(if $(shell command -v flock),flock .venv.lock)
INSTALL := $(LOCK) $(MAKE) -s

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test check fuzz chaos browser lint clean

help:
	@echo "make demo     search, derive and retrain on handwritten digits; results in $(OUTPUT)"
	@echo "make test     ruff, mypy and all tests, the installed wheel included"
	@echo "make check    the fast lane while you work: ruff, mypy and the tests that are neither slow nor wheel"
	@echo "make lint     ruff and mypy only"
	@echo "make fuzz     mutated files for every parser, FUZZ_MINUTES (10) for each of FUZZ_PARSERS (all)"
	@echo "make chaos    every stage killed CHAOS_KILLS (20) times at random moments, and gone on with"
	@echo "make clean    remove .venv, builds and caches (results in runs/ stay)"
	@echo
	@echo "PYTHON=python3.12  interpreter for a new .venv, 3.10 or newer (default: $(PYTHON))"
	@echo "OUTPUT=DIR         where make demo writes (default: $(OUTPUT))"

demo:
	@$(INSTALL) $(VENV)/installed
	$(BIN)/dnas demo --output $(OUTPUT)

# Two processes of one thread each: twice two threads would wait for each other. A file stays in one process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: lint browser
	$(PYTEST)

# Under four minutes on two cores. A test that takes longer than a few seconds is marked slow.
check: lint
	$(PYTEST) -m "not slow and not wheel"

# The same mutations as in tests/fuzz, for longer; files that crash a parser stay in runs/fuzz.
FUZZ_MINUTES ?= 10
fuzz:
	@$(INSTALL) $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fuzz.py --minutes $(FUZZ_MINUTES) $(FUZZ_PARSERS)

# What make test does with three kills a stage.
CHAOS_KILLS ?= 20
chaos:
	@$(INSTALL) $(VENV)/installed-test
	@echo '| stage | kills | runs that ended as undisturbed ones | seconds of one |'
	DNAS_CHAOS=$(CHAOS_KILLS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/chaos -s

# The report of a comparison is looked at in Chromium. Where it cannot be installed those tests skip, and say so.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing Chromium, once.'; apt-get update -qq && apt-get install -y -qq chromium >/dev/null; \
	fi || echo 'Chromium could not be installed.'

lint:
	@$(INSTALL) $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A stamp appears only after pip has succeeded, so an interrupted install is done again. torch and torchvision
# come from one resolution: they are released in pairs.
$(VENV)/installed: pyproject.toml $(BIN)/pip
	@echo 'Installing into $(VENV): some minutes and gigabytes, once.'
	$(BIN)/python -m pip install --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml $(BIN)/pip
	@echo 'Installing into $(VENV): some minutes and gigabytes, once.'
	$(BIN)/python -m pip install --editable '.[test]'
	@touch $@ $(VENV)/installed

# pip is the last thing that venv writes: without it the environment is missing, broken or half made.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "dnas needs Python 3.10 or newer, and there is no '$(PYTHON)': make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "dnas needs Python 3.10 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
	       "make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

clean:
	rm -rf $(VENV) .venv.lock build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
