# `make` without a target lists the targets. Everything runs from .venv, which is made when missing or out of date.
PYTHON ?= python3
NAYSAYER := .venv/bin/naysayer
STAMP := .venv/.ready

.DEFAULT_GOAL := help

# The JavaScript of the rating page is linted and tested where Node 20 or newer is installed; users never need Node.
define javascript
@if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then \
	cd tests/js && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent; } && \
	PYTHON=$(CURDIR)/.venv/bin/python npm run --silent $(1); \
else echo "SKIPPED: npm run $(1) of the rating page's JavaScript, because Node 20 or newer is not installed"; fi
endef

.PHONY: help setup run test full-size quick lint format retrain generate simulate doctor builtin-model compositions-model docs bench-loop bench-sample bench-ui bench-train bench-card mutants backup restore clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with the exact versions in constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(STAMP)  ## start the pages and the sampling worker; Ctrl-C stops both
	@exec $(NAYSAYER) run

# Three processes for two cores: the browser's tests mostly wait.
test: $(STAMP)  ## every test, browser tests included
	$(call javascript,test)
	.venv/bin/python -m tests.browser
	scratch=$$(.venv/bin/python -m tests.scratch) && trap 'rm -rf "$$scratch"' EXIT && \
	TMPDIR="$$scratch" .venv/bin/pytest -n $$(.venv/bin/python -c 'import os; print(os.cpu_count() * 3 // 2)') --dist loadfile --no-loadscope-reorder -m 'not alone and not full_size' --durations=12
	.venv/bin/pytest -m alone --durations=12 $$(grep -rl mark.alone tests --include='*.py')

full-size: $(STAMP)  ## the tests that build the full-size SDXL with random weights; they need 16 GB of memory
	.venv/bin/pytest -m full_size --durations=12

quick: $(STAMP)  ## only the tests without a mark, under a minute
	.venv/bin/pytest -m 'not slow and not browser and not postgres and not gpu'

lint: $(STAMP)  ## format check, ruff, types, layers, eslint
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(call javascript,lint)

format: $(STAMP)  ## format, and fix what can be fixed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

retrain: $(STAMP)  ## train a negative LoRA on the rejects, if a retrain is due
	@exec $(NAYSAYER) retrain

generate: $(STAMP)  ## draw pictures until stopped
	@exec $(NAYSAYER) generate

simulate: $(STAMP)  ## let simulated raters run the whole loop; print each version's reject rate
	@exec $(NAYSAYER) simulate

doctor: $(STAMP)  ## say what is wrong with this installation
	@exec $(NAYSAYER) doctor

builtin-model: $(STAMP)  ## train the built-in miniature SDXL again from scratch
	@exec $(NAYSAYER) builtin-model

compositions-model: $(STAMP)  ## train the miniature SDXL of the second drawn world again from scratch
	.venv/bin/python -m bench.compositions.build bench/compositions/model

docs: $(STAMP)  ## build the docs site into build/docs; a dead link or an orphan page fails
	.venv/bin/python docs/generate.py
	.venv/bin/sphinx-build -W --keep-going -n -q -b html docs build/docs

bench-loop: $(STAMP)  ## measure whether the loop helps, and which method: docs/measured/evidence.md (an hour or more)
	@exec $(NAYSAYER) bench loop --docs docs/measured

bench-sample: $(STAMP)  ## measure what the sampling rules cost: docs/measured/sampling-cost.md
	@exec $(NAYSAYER) bench sample

bench-ui: $(STAMP)  ## measure the time from key press to next picture, in Chromium (four minutes)
	@exec $(NAYSAYER) bench ui

bench-train: $(STAMP)  ## measure a retrain beside diffusers' script: SCRIPT=path/to/train_text_to_image_lora_sdxl.py
	@exec $(NAYSAYER) bench train $(if $(SCRIPT),--diffusers-script $(SCRIPT)) $(if $(SCRIPT_PYTHON),--python $(SCRIPT_PYTHON))

bench-card: $(STAMP)  ## check this card with SDXL at full size, eight minutes: docs/card.json, docs/operator/card.md
	@exec $(NAYSAYER) bench card --record docs/card.json --docs docs/operator/card.md

mutants: $(STAMP)  ## break the code on purpose and count what the tests notice (SAMPLE=600 changes; an hour or more)
	.venv/bin/pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	.venv/bin/python -m tests.mutants --sample $(or $(SAMPLE),600)

backup: $(STAMP)  ## write the store into FILE (default naysayer-backup.tar)
	@exec $(NAYSAYER) backup $(or $(FILE),naysayer-backup.tar)

restore: $(STAMP)  ## put the backup FILE into an empty data folder
	@exec $(NAYSAYER) restore $(or $(FILE),naysayer-backup.tar)

clean:  ## remove .venv and caches; never the data folder
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
