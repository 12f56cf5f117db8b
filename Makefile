# Every target sets up the virtual environment it needs; the second time that takes no time.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UI_PORT ?= 3000
GALLERY_PORT ?= 3001
# STORAGE=s3 keeps the crawl and the tables on a real S3 server that runs as long as the command
STORAGE ?= folder
PROFILE_folder := local
PROFILE_s3 := s3
WITH_s3 := $(BIN)/python -m dataproc_assets_tests.s3 data/s3
WITH := $(WITH_$(STORAGE))
$(if $(PROFILE_$(STORAGE)),,$(error STORAGE is folder or s3, not '$(STORAGE)'))
export DATAPROC_PROFILE ?= $(PROFILE_$(STORAGE))
export DAGSTER_HOME := $(CURDIR)

.PHONY: demo ui test lint bench clean
.DEFAULT_GOAL := help

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# not compiled: of most modules nothing is ever imported
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY) ## the sample crawl through every stage, to a release and its latents
	$(WITH) $(BIN)/dataproc upload sample_crawl/crawl
	$(WITH) $(BIN)/dataproc run
	$(WITH) $(BIN)/dataproc report --truth sample_crawl/ground_truth.yaml
	@echo "both in one: make ui$(if $(filter s3,$(STORAGE)), STORAGE=s3)"

ui: $(READY) ## Dagster's web UI, its daemon, and the gallery, on this machine alone
	@echo "graph: http://127.0.0.1:$(UI_PORT)"
	@$(WITH) sh -c '$(BIN)/dataproc gallery --port $(GALLERY_PORT) & trap "kill $$!" EXIT INT TERM; \
	  $(BIN)/dagster dev -h 127.0.0.1 -p $(UI_PORT) -w workspace.yaml'

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
