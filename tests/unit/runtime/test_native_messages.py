"""Noise of TensorFlow's C++ libraries does not reach the user; everything else does."""

import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY
from foldline.runtime.native_messages import has_accelerator

SCRIPTS = REPOSITORY / "scripts"
NOISE = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1.2  3 port.cc:153] oneDNN custom operations are on. You may see slightly different results",
    "I0000 00:00:1.2  3 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.",
    "E0000 00:00:1.2  3 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)",
]
REAL = "E0000 00:00:1.2  3 cuda_executor.cc:1] failed to allocate 4.00G from device: CUDA_ERROR_OUT_OF_MEMORY"
WRITE = """
import os, sys
from foldline.runtime.native_messages import HARMLESS, WITHOUT_ACCELERATOR, filtered_messages
with filtered_messages({patterns}):
    os.write(2, sys.argv[1].encode())
    {then}
os.write(2, b"after\\n")
"""


def written(text: str, *, patterns: str = "HARMLESS + WITHOUT_ACCELERATOR", then: str = "pass") -> list[str]:
    """Lines that reach the standard error of a process whose libraries write this text."""
    code = WRITE.format(patterns=patterns, then=then)
    done = subprocess.run([sys.executable, "-c", code, text], cwd=SCRIPTS, capture_output=True, text=True, check=False)
    return done.stderr.splitlines()


def test_noise_is_dropped_and_errors_of_devices_are_shown() -> None:
    assert written("\n".join([*NOISE, REAL, ""])) == [REAL, "after"]


def test_absent_drivers_are_reported_where_there_is_an_accelerator() -> None:
    assert written("\n".join([*NOISE, ""]), patterns="HARMLESS") == [*NOISE[2:], "after"]


def test_the_last_words_of_an_aborted_process_are_shown() -> None:
    # As on a processor without the instructions that TensorFlow was compiled for.
    assert written(f"{REAL}\n", then="os.abort()") == [REAL]


def test_importing_tensorflow_and_choosing_the_cpu_writes_nothing() -> None:
    if has_accelerator():
        pytest.skip("this machine has an accelerator, whose messages are shown")
    code = "from foldline.runtime.devices import use_device; use_device('auto', threads=1)"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"dev/nvidia0": ""}, True),
        ({"dev/accel0": ""}, True),
        ({"sys/bus/pci/devices/0/vendor": "0x10de\n", "sys/bus/pci/devices/0/class": "0x030200\n"}, True),
        ({"sys/bus/pci/devices/0/vendor": "0x10de\n", "sys/bus/pci/devices/0/class": "0x040300\n"}, False),
        ({"sys/bus/pci/devices/0/vendor": "0x8086\n", "sys/bus/pci/devices/0/class": "0x030000\n"}, False),
    ],
)
def test_accelerators_are_known_without_their_driver(files: dict[str, str], expected: bool, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert has_accelerator(tmp_path) is expected
