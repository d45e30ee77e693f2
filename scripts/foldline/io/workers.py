"""Work spread over processes: results in order, few of them in memory, no process left behind when the parent dies."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from foldline.errors import FoldlineError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Chunks that are in work or waiting, per worker: enough that no worker waits, few enough to hold in memory.
CHUNKS_AHEAD = 3


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, chunk: int = 4
) -> Iterator[Result]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: a function of a module (not of the script itself), so that another process finds it by name.
        items: taken only as fast as results are.
        workers: processes; with 1 the work is done in this one.
        chunk: items that travel together.

    Raises:
        FoldlineError: a worker process was killed.
    """
    if workers == 1:
        yield from map(function, items)
        return
    source = iter(items)
    chunks = iter(lambda: list(islice(source, chunk)), [])
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for part in chunks:
            with _main_script_hidden():
                waiting.append(pool.submit(_all_of, function, part))
            if len(waiting) >= workers * CHUNKS_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise FoldlineError(
            "a worker process was killed; if the machine ran out of memory, give the job fewer threads or more memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _all_of(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


def _follow_parent() -> None:
    """Leave interrupts to the parent, and end when it is gone: a killed parent cannot tell its workers to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _main_script_hidden() -> Iterator[None]:
    """Keep new processes from running the main script again, as they would to find functions defined in it.

    The script that Snakemake runs begins with code of Snakemake's own, which costs a worker .3 s and 60 MB.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
