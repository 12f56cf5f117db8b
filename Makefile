# Every target sets up the virtual environment it needs; the second time that takes no time.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UI_PORT ?= 3000
GALLERY_PORT ?= 3001
export DAGSTER_HOME := $(CURDIR)

.PHONY: demo ui test lint bench clean
.DEFAULT_GOAL := help

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY) ## the sample crawl through every stage, to a release and its latents
	$(BIN)/dataproc upload sample_crawl/crawl
	$(BIN)/dataproc run
	$(BIN)/dataproc report --truth sample_crawl/ground_truth.yaml

ui: $(READY) ## Dagster's web UI, its daemon, and the gallery, on this machine alone
	@mkdir -p data/store/gallery
	@echo "graph:   http://127.0.0.1:$(UI_PORT)"; echo "gallery: http://127.0.0.1:$(GALLERY_PORT)"
	@$(BIN)/python -m http.server $(GALLERY_PORT) --bind 127.0.0.1 --directory data/store/gallery \
	  >/dev/null 2>&1 & trap "kill $$!" EXIT INT TERM; \
	  $(BIN)/dagster dev -h 127.0.0.1 -p $(UI_PORT) -w workspace.yaml

lint: $(READY) ## ruff and the type checker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

test: lint ## lint, then all tests that need no GPU
	$(BIN)/pytest -n 2 --dist loadgroup -m 'not gpu'

bench: $(READY) ## every benchmark, small
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove what the targets made: environment, data, runs
	rm -rf .venv data .dagster .ruff_cache .pytest_cache .hypothesis *.egg-info
