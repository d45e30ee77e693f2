# `make submission` and `make test` install the locked packages first. They need Python 3.11 to 3.13 only (tested: 3.11).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Marks a finished environment. If the lock file changes, it is created again.
READY := $(VENV)/ready

.PHONY: submission test check config-reference environment

submission: environment ## run the workflow: results/submission.csv, results/oof.csv, results/report.html
	PATH="$(abspath $(BIN)):$$PATH" snakemake --cores 4 results/submission.csv results/report.html

test: environment ## run all tests
	PATH="$(abspath $(BIN)):$$PATH" python -m pytest -p no:randomly -n 2 --dist loadscope --no-loadscope-reorder

check: environment ## check formatting, lint and types
	PATH="$(abspath $(BIN)):$$PATH" pre-commit run --all-files

config-reference: environment ## renew the key tables in config/README.md from the schema
	PYTHONPATH=scripts $(BIN)/python -m foldline.planning.config_reference

environment: $(READY)

$(READY): envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python %d.%d: Foldline needs Python 3.11 to 3.13; run make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement envs/requirements.lock
	touch $(READY)
