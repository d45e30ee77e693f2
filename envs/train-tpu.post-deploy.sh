#!/usr/bin/env bash
# Its requirement `tensorflow` is met by tensorflow-tpu.
set -euo pipefail
python -m pip install --no-deps tf-keras==2.20.1
