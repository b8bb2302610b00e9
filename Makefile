# `make` lists the targets. Plain POSIX make (GNU 3.81 and newer, BSD); nothing is installed outside .venv.
#
#   make demo PYTHON=/usr/local/bin/python3.12      another interpreter
#   make demo MINUTES=15                            a longer training, a better model
#   make demo PIP_FLAGS="..."                       more flags for pip, such as another index for a smaller torch

PYTHON = python3
PIP_FLAGS =
VENV = .venv
RUN = runs/demo
MINUTES = 4
CASES = 1000000
MODELS = 100000
JOBS = 2
DIST_FLAGS =

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS)
PYTEST = $(BIN)/python -m pytest

help:
	@echo "make demo           install, render a defect set, train on it, evaluate, mark defects in pictures, profile"
	@echo "make test           install with the development extras, then ruff, mypy and the quick tests"
	@echo "make test-pages     the pages of service and labelling, in a browser"
	@echo "make test-slow      whole trainings"
	@echo "make test-realdata  the tests on real data sets (LIGHTDET_DATASETS=folder, or ../shared/datasets)"
	@echo "make fuzz           a million broken files, and 100 000 model files of each kind, for the readers;"
	@echo "                    CASES=n, MODELS=n (0: none), JOBS=n; continues where it stopped"
	@echo "make lint           only ruff and mypy"
	@echo "make docs           the documentation as a site, in build/site"
	@echo "make dist           sdist and wheel, each installed into an empty environment and used there"
	@echo "make clean          remove caches and the demo's results; make distclean removes .venv as well"

# These files are newer than pyproject.toml once the dependencies are installed: a second call installs nothing.
$(VENV)/.python:
	@chosen=; for candidate in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "error: Python 3.11 or newer is needed and none was found ($(PYTHON) is: `$(PYTHON) --version 2>&1`)." >&2; \
	  echo "       Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; \
	fi; \
	echo "$$chosen -m venv $(VENV)"; \
	"$$chosen" -m venv $(VENV) || { \
	  echo "error: no virtual environment could be created; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.python pyproject.toml
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.python pyproject.toml
	$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	rm -rf $(RUN)
	$(BIN)/lightdet data synth --output $(RUN)/data --images 600 --seed 0
	$(BIN)/lightdet train --data $(RUN)/data/dataset.yaml --config configs/demo.yaml --minutes $(MINUTES) --output $(RUN)/train
	$(BIN)/lightdet val --weights $(RUN)/train/best.safetensors --data $(RUN)/data/dataset.yaml --output $(RUN)/val
	$(BIN)/lightdet detect $(RUN)/data/images/val --weights $(RUN)/train/best.safetensors --output $(RUN)/detect
	$(BIN)/lightdet profile --weights $(RUN)/train/best.safetensors --json $(RUN)/profile.json
	@echo
	@echo "Done. Look at:"
	@echo "  $(RUN)/detect           pictures with the detections"
	@echo "  $(RUN)/val/report.html  the evaluation, in a browser"
	@echo "  $(RUN)/train            the model (best.safetensors) and the training's curves (results.csv)"

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# One thread per process: the tests' tensors are small. Three processes for two processors: a third of the time is waiting.
test: lint
	OMP_NUM_THREADS=1 $(PYTEST) -n 3 --dist worksteal -m "not slow and not realdata and not browser"

# What drives a browser waits for it: nothing beside it, so that a moment on the page lasts as long as it should.
test-pages: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(PYTEST) -m "browser and not slow"

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m slow

test-realdata: $(VENV)/.installed-dev
	$(PYTEST) -m realdata

fuzz: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/campaign.py --only labels tools sets pictures --cases $(CASES) \
	  --jobs $(JOBS) --folder build/fuzz
	for kind in detector classifier onnx openvino; do \
	  OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/campaign.py --only $$kind --cases $(MODELS) \
	    --jobs $(JOBS) --folder build/fuzz || exit 1; \
	done

docs: $(VENV)/.installed-docs
	$(BIN)/python packaging/build_docs.py

# The dependencies come from the index, as for a user; DIST_FLAGS=--quick uses those of .venv.
dist: $(VENV)/.installed-dev
	$(BIN)/python packaging/check_dist.py $(DIST_FLAGS) --pip-flags="$(PIP_FLAGS)"

clean:
	rm -rf $(RUN) build dist lightdet.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find lightdet tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

.PHONY: help demo lint test test-pages test-slow test-realdata fuzz docs dist clean distclean
