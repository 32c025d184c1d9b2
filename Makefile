# make demo   set up everything, walk the whole path on a synthetic corpus
# make test   set up everything, run all checks
# make docs   the documentation as pages, in site/
# make quick  ruff, and the tests of the files that changed since the last commit
# make prove  what takes too long for a test, such as chaos on a cluster and a race in a bucket; ends with a sentence
# make bench  speeds of building, reading and training, beside those of plain code
# make clean  removes what these made
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# where tests write, nearly two hundred thousand files: the last run's go while this one runs, since pytest would remove
# them one by one at its end, which takes it half a minute
WRITTEN := $(or $(TMPDIR),/tmp)/serprep-tests-$(shell printf %s "$(CURDIR)" | cksum | cut -d " " -f 1)
# compiled code of Python is kept: the tests start hundreds of processes, and each would compile torch anew
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test quick prove docs bench clean

demo: $(READY)
	@echo "128 made-up recordings of eight speakers, five systems, one page: about two minutes on two cores."
	@$(BIN)/serprep demo serprep-demo

test: $(READY)
	@echo "ruff, mypy and all tests, three at a time: about six minutes on two cores, two more the first time."
	@mv "$(WRITTEN)" "$(WRITTEN).old.$$$$" 2>/dev/null; \
	{ nice chmod -R u+w "$(WRITTEN).old."*; nice rm -rf "$(WRITTEN).old."*; } > /dev/null 2>&1 &
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -c "from serprep.features import compare_2016 as c, egemaps_v02 as e; c.prepare(); c.prepare(compute=e.functionals)" & \
	$(BIN)/mypy; status=$$?; wait; exit $$status # compiled beside it once, and not by every process of the tests
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --basetemp "$(WRITTEN)"

quick: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -m "not slow" $$($(BIN)/python tests/helpers/mirror.py)

prove: $(READY)
	$(BIN)/python benchmarks/prove.py

docs: $(READY)
	$(BIN)/sphinx-build -q -W -c docs/site docs site
	@echo "open site/index.html"

bench: $(READY)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/training.py

# constraints.txt holds for Python 3.11; newer ones take the newest releases
$(READY): pyproject.toml constraints.txt
	@echo "Installing serprep and what it needs into .venv: a minute or two, once."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -qq --upgrade pip
	if $(BIN)/python -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))"; \
	then $(BIN)/python -m pip install -qq --no-compile -c constraints.txt -e ".[dev]"; \
	else $(BIN)/python -m pip install -qq --no-compile -e ".[dev]"; fi
	touch $(READY)

clean:
	rm -rf .venv build dist site docs/reference *.egg-info serprep-demo
