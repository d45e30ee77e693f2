"""Keep known, harmless messages of TensorFlow's C++ libraries away from the user; errors of real devices get through.

These libraries write to file descriptor 2 while they are imported, before they read `TF_CPP_MIN_LOG_LEVEL`. Where there
is no accelerator they report missing CUDA drivers as errors; where there is one, that is the error to see.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Never of use to a user.
HARMLESS = (
    r"All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    r"oneDNN custom operations are on",
    r"oneDNN supports DT_UINT8 only on platforms with AVX-512",
    r"computation placer already registered",
    r"Unable to register cu(DNN|FFT|BLAS) factory",
)
# Expected where there is no accelerator.
WITHOUT_ACCELERATOR = (
    r"Could not find cuda drivers on your machine",
    r"failed call to cuInit",
)
NVIDIA, DISPLAY_CLASSES = "0x10de", ("0x03", "0x12")


def has_accelerator(root: Path = Path("/")) -> bool:
    """Whether this machine has an NVIDIA GPU or a TPU, with a working driver or without.

    Args:
        root: folder of the file system's root.
    """
    if any(next(root.glob(pattern), None) for pattern in ("dev/nvidia[0-9]*", "dev/accel[0-9]*", "dev/dxg")):
        return True
    for device in root.glob("sys/bus/pci/devices/*"):
        with suppress(OSError):
            vendor, kind = ((device / name).read_text(encoding="ascii") for name in ("vendor", "class"))
            if vendor.strip() == NVIDIA and kind.startswith(DISPLAY_CLASSES):
                return True
    return False


@contextmanager
def filtered_messages(patterns: tuple[str, ...]) -> Iterator[None]:
    """Drop lines that match a pattern from what is written to file descriptor 2.

    Another process filters, so that the last words of this one are seen even if it is aborted.

    Args:
        patterns: extended regular expressions.
    """
    sys.stderr.flush()
    command = ["grep", "--line-buffered", "--text", "-vE", "|".join(patterns)]
    try:
        original = os.dup(2)
        grep = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=original, start_new_session=True)
    except OSError:
        # No standard error or no grep: nothing to filter, or nothing to filter with.
        yield
        return
    assert grep.stdin is not None
    os.dup2(grep.stdin.fileno(), 2)
    grep.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
        grep.wait()
