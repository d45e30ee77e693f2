#!/usr/bin/env bash
# tensorflow-tpu provides the package `tensorflow`, which tf-keras requires.
set -euo pipefail
python -m pip install --no-deps tf-keras==2.20.1
