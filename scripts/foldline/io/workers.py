"""Map a function over items in several processes: ordered results, bounded memory, no orphaned processes."""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from foldline.errors import FoldlineError, listing
from foldline.io.read_ahead import ReadAhead, Sized
from foldline.io.watchdog import working_on

Item = TypeVar("Item")
Result = TypeVar("Result")

# Chunks per worker that run or wait: enough to keep every worker busy, few enough to hold in memory.
CHUNKS_AHEAD = 3
# M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3): the largest ones that glibc sets by itself.
MALLOC_LIMITS = ((-3, 32 << 20), (-1, 64 << 20))
# Signals of a defect in native code, not of another process or of the kernel.
CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")


@dataclass(frozen=True)
class _Chunk(Generic[Item, Result]):
    """Items that a process maps at a time, and their results; `start` counts the items before them."""

    start: int
    items: list[Item]
    future: "Future[list[Result]]"

    def has(self, number: int) -> bool:
        """Whether the chunk has an item, by its number from 0."""
        return self.start <= number < self.start + len(self.items)


class _Context(multiprocessing.context.SpawnContext):
    """Start fresh processes, and remember them: how they ended says which of them died by itself."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []
        # For each process: its id, and the number of the item that it has, from 1, or 0 between items.
        self.items = self.RawArray("q", 2 * workers)
        self.count = self.Value("q", 0)

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # type: ignore[override]  # noqa: N802
        """A process of the pool."""
        process = super().Process(*args, **kwargs)
        self.started.append(process)
        return process


def ordered_map(
    function: Callable[..., Result],
    items: Iterable[Item],
    *,
    workers: int,
    chunk: int = 4,
    name: Callable[[Item], str] = str,
    load: Callable[[Item], Sized] | None = None,
) -> Iterator[Result]:
    """Yield `function(item)` for every item, in the order of the items.

    With `load`, it is `function(item, load(item))`, and the next items of a process are loaded in a few threads if that
    makes wait, see `ReadAhead`.

    Args:
        function: a function that other processes can import; not one of the main script.
        items: read lazily, only as fast as results are consumed.
        workers: number of processes; 1 runs in the calling process.
        chunk: items sent to a process at a time.
        name: what to call an item in messages, such as the path of its file.
        load: reads the files of an item; a function that other processes can import and that works in a thread.

    Raises:
        FoldlineError: a worker process was killed or crashed; the message names the item that it had.
    """
    if workers == 1:
        for arguments in _arguments(items, load, ReadAhead()):
            with working_on(name(arguments[0])):
                result = function(*arguments)
            yield result
        return
    source = iter(items)
    chunks = iter(lambda: list(islice(source, chunk)), [])
    context = _Context(workers)
    pool = ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(context.items, context.count, workers)
    )
    pending: deque[_Chunk[Item, Result]] = deque()
    submitted = 0
    try:
        for some in chunks:
            with _main_script_hidden():
                pending.append(_Chunk(submitted, some, pool.submit(_map_chunk, function, some, submitted, load)))
            submitted += len(some)
            if len(pending) >= workers * CHUNKS_AHEAD:
                yield from pending[0].future.result()
                pending.popleft()
        while pending:
            yield from pending[0].future.result()
            pending.popleft()
    except BrokenProcessPool as error:
        pool.shutdown()
        raise FoldlineError(_last_words(context, pending, name)) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _last_words(context: _Context, pending: Iterable[_Chunk[Item, Any]], name: Callable[[Item], str]) -> str:
    """Which process died and what it had; the executor terminates the others."""
    dead = {process.pid: process.exitcode for process in context.started}
    dead = {pid: code for pid, code in dead.items() if code not in (None, 0, -signal.SIGTERM)} or dead
    having = zip(context.items[0::2], context.items[1::2], strict=True)
    numbers = sorted(number - 1 for pid, number in having if number and pid in dead)
    had = [name(part.items[number - part.start]) for number in numbers for part in pending if part.has(number)]
    where = f" at {listing(had)}" if had else ""
    kind = next((signal.Signals(-code).name for code in dead.values() if code is not None and code < 0), "")
    if kind in CRASHES:
        return (
            f"a worker process crashed ({kind}){where}; save the image again with another program, or remove its row "
            "from the table"
        )
    return (
        f"a worker process was killed{where}; if the machine ran out of memory, give the job fewer threads or more "
        "memory"
    )


# Where a worker process notes the number of its item: the array of `_Context`, and its own place in it.
_places: list[tuple[Any, int]] = []


# Of a worker process.
_read_ahead: ReadAhead[Any, Any] = ReadAhead()


def _map_chunk(
    function: Callable[..., Result], items: list[Item], start: int, load: Callable[[Item], Sized] | None
) -> list[Result]:
    array, place = _places[-1]
    results = []
    for number, arguments in enumerate(_arguments(items, load, _read_ahead), start=start + 1):
        array[2 * place + 1] = number
        results.append(function(*arguments))
    array[2 * place + 1] = 0
    return results


def _arguments(
    items: Iterable[Item], load: Callable[[Item], Sized] | None, read_ahead: ReadAhead[Item, Any]
) -> Iterable[tuple[Any, ...]]:
    """Positional arguments of the function for each item."""
    return ((item,) for item in items) if load is None else read_ahead.over(items, load)


def keep_freed_memory() -> None:
    """Let glibc use freed memory again for buffers of up to 32 MB, instead of returning it to the system at once.

    Pages that come back cost .3 of the time of small images. With large images glibc sets these limits by itself. Other
    C libraries have no such function.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, limit in MALLOC_LIMITS:
            mallopt(parameter, limit)


def _start_worker(array: Any, count: Any, workers: int) -> None:
    keep_freed_memory()
    with count.get_lock():
        place, count.value = count.value % workers, count.value + 1
    array[2 * place] = os.getpid()
    _places.append((array, place))
    _exit_with_parent()


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
