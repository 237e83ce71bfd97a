# make demo    sets up .venv and lets an embedded model read an eye chart: no server, key or model download needed
# make test    sets up .venv and runs the tests
# make try     sets up .venv and runs the main job against a mock server
# make check   lint, format and types
# make docs    writes the generated parts of docs/ anew
# make perf    measurements of speed and memory (half an hour)
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo

.PHONY: demo test try check format docs perf clean

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

perf: $(STAMP)
	for program in startup resume scoring asking promptness refusals hot_path memory judging frames auto_nproc; do \
		$(BIN)/python perf/$$program.py || exit 1; done
	$(BIN)/python perf/scale.py --scale 0.01

$(DEMO): pyproject.toml
	@echo "Setting up $(VENV), once: a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --quiet --editable '.[demo]'
	@touch $@

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[test,demo,hub,integration]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
