# Both commands do all their own set-up; nothing but Python 3.11 is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The interpreter and the lock that the environment was made from; a change of either makes it anew.
READY := $(VENV)/ready

.PHONY: submission test check config-reference environment

submission: environment ## raw images to results/submission.csv, results/oof.csv and results/report.html
	PATH="$(abspath $(BIN)):$$PATH" snakemake --cores 4 results/submission.csv results/report.html

test: environment ## all tests
	PATH="$(abspath $(BIN)):$$PATH" python -m pytest

check: environment ## formatting, lint, workflow lint
	PATH="$(abspath $(BIN)):$$PATH" pre-commit run --all-files

config-reference: environment ## renew the key table in config/README.md from the schema
	PYTHONPATH=scripts $(BIN)/python -m foldline.planning.config_reference

environment: $(READY)

$(READY): envs/requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement envs/requirements.lock
	touch $(READY)
