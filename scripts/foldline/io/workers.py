"""Map a function over items in several processes: ordered results, bounded memory, no orphaned processes."""

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
from multiprocessing.process import BaseProcess
from typing import TypeVar

from foldline.errors import FoldlineError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Chunks per worker that run or wait: enough to keep every worker busy, few enough to hold in memory.
CHUNKS_AHEAD = 3


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, chunk: int = 4
) -> Iterator[Result]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: a function that other processes can import; not one of the main script.
        items: read lazily, only as fast as results are consumed.
        workers: number of processes; 1 runs in the calling process.
        chunk: items sent to a process at a time.

    Raises:
        FoldlineError: a worker process was killed.
    """
    if workers == 1:
        yield from map(function, items)
        return
    source = iter(items)
    chunks = iter(lambda: list(islice(source, chunk)), [])
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_exit_with_parent)
    pending: deque[Future[list[Result]]] = deque()
    try:
        for some in chunks:
            with _main_script_hidden():
                pending.append(pool.submit(_map_chunk, function, some))
            if len(pending) >= workers * CHUNKS_AHEAD:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    except BrokenProcessPool as error:
        raise FoldlineError(
            "a worker process was killed; if the machine ran out of memory, give the job fewer threads or more memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _map_chunk(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


def _exit_with_parent() -> None:
    """Ignore interrupts, which the parent handles, and exit when the parent dies: a killed parent stops no workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def _main_script_hidden() -> Iterator[None]:
    """Keep new processes from importing the main script, as `spawn` does to find functions defined in it.

    The script that Snakemake runs starts with Snakemake's own code, which costs each worker .3 s and 60 MB.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
