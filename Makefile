# `make run` starts LiveTalk, `make test` checks it. Both make their own environment first.
SHELL := /bin/bash
PYTHON := .venv/bin/python
# One thread for every numerical library: pools that spin cost more than they give on two cores.
export OMP_NUM_THREADS ?= 1
SCREEN := xvfb-run -a -s "-screen 0 1280x900x24 +extension GLX"

.PHONY: help run test test-packages models check format format-check lint types imports tests-without-qt tests-on-screen tests bundle clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

run: ## set up what is missing, then start LiveTalk (without a screen: a short conversation into a file)
	@packaging/setup.sh run
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then exec $(PYTHON) -m app $(ARGS); else exec $(PYTHON) -m app.commands.demo; fi

test: ## set up what is missing, then run every check
	@packaging/setup.sh test
	@$(MAKE) --no-print-directory check

test-packages: ## set up what the checks need
	@packaging/setup.sh test

models: ## bring the models that are not here yet
	@$(PYTHON) -m app.setup.models

check: format-check lint types imports tests-without-qt tests-on-screen tests ## every check (what CI runs)

format: ## put every file into the house style
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix --select I .

format-check:
	$(PYTHON) -m ruff format --check .

lint:
	$(PYTHON) -m ruff check .

types:
	.venv/bin/pyright

imports:
	.venv/bin/lint-imports

tests-without-qt: ## the engine's tests where PySide6 cannot be imported
	$(PYTHON) -m pytest -p tests.without_qt -p no:pytest-qt -m "not window" tests/core

tests-on-screen: ## the tests that need a window, on a screen of their own
	QT_QPA_PLATFORM=xcb $(SCREEN) $(PYTHON) -m pytest -m window

tests: ## every other test, off-screen (the engine's have run without Qt)
	QT_QPA_PLATFORM=offscreen $(PYTHON) -m pytest -m "not window" --ignore tests/core

bundle: ## a folder that runs without Python installed (dist/LiveTalk)
	$(PYTHON) -m pip install --quiet "pyinstaller==6.22.3"
	$(PYTHON) -m PyInstaller --noconfirm livetalk.spec

clean: ## forget what was built; .venv and models stay
	rm -rf build dist .pytest_cache .ruff_cache .import_linter_cache livetalk-demo.*
