"""Say in the log that a step was killed: the kernel takes a process that needs too much memory without a word.

Another process waits for the end of the step. If the step ends without its own last words, the watchdog writes a line
to the log of the rule and to stderr.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# Arguments: log, line for a kill by the kernel, line for another end without a word. The kernel counts in /proc/vmstat
# the processes that it killed for lack of memory, those of containers included.
SCRIPT = r"""
trap '' HUP INT QUIT TERM
kills() { grep '^oom_kill ' /proc/vmstat 2>/dev/null; }
before=$(kills)
at=
while read -r word; do
    [ "$word" = ended ] && exit 0
    at=${word#at}
done
line=$3
[ "$(kills)" = "$before" ] || line=$2
line="$(date '+%Y-%m-%d %H:%M:%S,000') ERROR $line${at:+; it was at$at}"
echo "$line" >&2
[ -z "$1" ] || echo "$line" >> "$1"
"""


# Pipes to the watchdogs of this process, the innermost last.
_pipes: list[IO[bytes]] = []


@contextlib.contextmanager
def working_on(name: str) -> Iterator[None]:
    """Have the watchdog say, if this process dies while the body runs, what it worked on.

    Args:
        name: such as the path of a file.
    """
    _tell(f"at {' '.join(name.split())}")
    yield
    _tell("at")


def _tell(line: str) -> None:
    if _pipes:
        with contextlib.suppress(OSError):
            _pipes[-1].write(line.encode(errors="backslashreplace") + b"\n")
            _pipes[-1].flush()


@contextlib.contextmanager
def watched(log: str | Path | None, *, remedy: str) -> Iterator[None]:
    """Watch this process while the body runs.

    Args:
        log: log of the rule; None to write to stderr alone.
        remedy: what to do if memory ran out.
    """
    killed = f"the kernel killed the process of this job, because memory ran out; {remedy}"
    silent = (
        "the process of this job was killed or crashed before it could say why; if it ran out of memory, "
        f"{remedy}; then run the same command again"
    )
    words = ["sh", "-c", SCRIPT, "watchdog", "" if log is None else str(log), killed, silent]
    try:
        # In a session of its own, so that a signal to the job's processes does not reach it.
        watchdog = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    except OSError:
        # Without a shell nobody watches.
        yield
        return
    assert watchdog.stdin is not None
    # Workers must not keep the pipe open: its end is the end of this process. Python's pipes are not inherited.
    assert not os.get_inheritable(watchdog.stdin.fileno())
    _pipes.append(watchdog.stdin)
    try:
        yield
    finally:
        _pipes.pop()
        with contextlib.suppress(OSError):
            watchdog.stdin.write(b"ended\n")
            watchdog.stdin.close()
        watchdog.wait()
