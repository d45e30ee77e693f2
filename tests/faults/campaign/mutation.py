"""Mutate files, and bound the memory and the time of what reads them."""

import resource
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

# Bytes that are more likely than others: ends of varints, instructions of pickles, signs.
INTERESTING = b"\x00\x01\x7f\x80\xff(.}q\x86\x8aRbsuXQKJhr"
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def mutated(data: bytes, random: Random) -> bytes:
    """Change some bytes: replaced, flipped, inserted, removed, repeated, overwritten by a number, or cut off."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if not out:
            return b""
        at = random.randrange(len(out))
        kind = random.randrange(8)
        if kind == 0:
            out[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            out[at] = random.choice(INTERESTING)
        elif kind == 2:
            out[at:at] = random.randbytes(random.randrange(1, 9))
        elif kind == 3:
            del out[at : at + random.choice((1, 1, 4, 64))]
        elif kind == 4:
            out[at:at] = out[at : at + random.randrange(1, 200)]
        elif kind == 5:
            out[at : at + 8] = struct.pack("<Q", random.choice(NUMBERS))
        elif kind == 6:
            out[at : at + 4] = struct.pack("<I", random.choice(NUMBERS) & 0xFFFFFFFF)
        else:
            del out[at:]
    return bytes(out)


@contextmanager
def bounded(megabytes: int, seconds: int) -> Iterator[None]:
    """Bound the memory and the time of the body."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), limits[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)
