# make demo    sets up .venv and lets an embedded model read an eye chart: no server, key or model download needed
# make test    sets up .venv and runs the tests
# make try     sets up .venv and runs the main job against a mock server
# make check   lint, format and types
# make docs    writes the generated parts of docs/ anew
# make fuzz    throws damaged input at every parser (FUZZ_SECONDS=30 for each: six minutes)
# make audit   looks the versions that CI uses up among known faults, where the network allows it
# make faults  runs under every fault there is, compared with undisturbed ones (six minutes)
# make perf    measurements of speed and memory (half an hour)
# make peers   eyechart beside other evaluators, each installed into an environment of its own (two hours, 7 GB)
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := test,demo,hub,integration
CI_EXTRAS := $(EXTRAS),local,serving
# A file of versions to install, such as .ci/constraints.txt; none by default: the newest that pyproject.toml allows.
CONSTRAINTS ?=
FUZZ_SECONDS ?= 30
DEMO := $(VENV)/.demo

.PHONY: demo test try check format docs faults perf peers fuzz audit constraints clean

demo: $(DEMO)
	@$(BIN)/eyechart demo

test: $(STAMP)
	$(BIN)/python -m pytest

try: $(STAMP)
	PATH="$(abspath $(BIN)):$$PATH" bash examples/quickstart.sh

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	bash .ci/types $(BIN)/python

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	for program in docs/generate*.py; do $(BIN)/python $$program || exit 1; done

faults: $(STAMP)
	$(BIN)/python tests/faults/campaign

perf: $(STAMP)
	for program in startup resume scoring asking promptness refusals hot_path memory judging frames auto_nproc; do \
		$(BIN)/python perf/$$program.py || exit 1; done
	$(BIN)/python perf/scale.py --scale 0.01

peers: $(STAMP)
	$(BIN)/python perf/compare.py --latency 0
	$(BIN)/python perf/compare.py

fuzz: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m fuzz.campaign --seconds $(FUZZ_SECONDS)

audit:
	bash .ci/audit $(PYTHON)

# Writes .ci/constraints.txt anew: the newest versions that pyproject.toml allows, installed into an environment of its own.
constraints:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --quiet --upgrade pip
	build/constraints/bin/python -m pip install --quiet --quiet --editable '.[$(CI_EXTRAS)]'
	echo "# The versions that CI installs; make constraints writes them anew." > .ci/constraints.txt
	build/constraints/bin/python -m pip freeze --all --exclude pip --exclude eyechart | sed 's/+.*//' >> .ci/constraints.txt
	rm -rf build/constraints

$(DEMO): pyproject.toml
	@echo "Setting up $(VENV), once: a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --quiet --editable '.[demo]'
	@touch $@

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
