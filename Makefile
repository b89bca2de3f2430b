# Two commands for a newcomer: `make demo` and `make test`. Both set up .venv themselves; they need Python 3.11+ and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test install lint bench soak clean

demo: $(READY)        ## run the whole job on the sample data and show what happened
	$(BIN)/python -m sample_data.demo

test: $(READY) lint   ## lint, types, architecture, then every test
	$(BIN)/python -m pytest -q -n auto -m "not soak"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)       ## the figures of docs/benchmarks.md
	$(BIN)/python -m benchmarks pipeline --records 100000
	$(BIN)/python -m benchmarks contoso

soak: $(READY)        ## new random examples, then heavy loops: kill -9, large property tests
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -q -n auto -m "not soak"
	$(BIN)/python -m pytest -q -m soak

install: $(READY)     ## create .venv with everything the commands above need

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed, this is " + sys.version'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf .venv demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
