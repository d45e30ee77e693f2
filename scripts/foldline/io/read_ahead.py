"""Load the next items in a few threads while one is worked on, if loading makes wait: network disks and buckets do."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")

# Items that are loaded at a time, and most bytes of items that are loaded before they are needed.
READERS, AHEAD_BYTES = 8, 32 << 20
# Seconds without work from which loading an item makes wait. A local disk answers sooner, and threads cost time.
WAIT_SECONDS = 0.005


class Sized(Protocol):
    """What loading an item gives."""

    @property
    def bytes(self) -> int:
        """Memory that it holds."""
        ...


Loaded = TypeVar("Loaded", bound=Sized)
_END: Any = object()


class ReadAhead(Generic[Item, Loaded]):
    """Loads items in their order, see `over`; it learns from each how large and how slow the next one may be."""

    def __init__(self) -> None:
        """Nothing was loaded yet."""
        self._largest, self._waits = 0, False
        self._pool: ThreadPoolExecutor | None = None

    def over(self, items: Iterable[Item], load: Callable[[Item], Loaded]) -> Iterator[tuple[Item, Loaded]]:
        """Yield each item and what `load` gives of it, in the order of the items.

        Args:
            items: the items; at most `READERS` of them are taken before they are needed.
            load: loads an item; it must work in a thread. An error is raised when its item is due.
        """
        source = iter(items)
        pending: deque[tuple[Item, Future[tuple[Loaded, float]]]] = deque()
        while True:
            while self._waits and len(pending) < self._ahead() and (item := next(source, _END)) is not _END:
                pending.append((item, self._threads().submit(_timed, load, item)))
            if pending:
                item, future = pending.popleft()
                loaded, waited = future.result()
            elif (item := next(source, _END)) is not _END:
                loaded, waited = _timed(load, item)
            else:
                return
            self._waits = waited > WAIT_SECONDS
            self._largest = max(self._largest, loaded.bytes)
            yield item, loaded

    def _ahead(self) -> int:
        """Items to load at a time, so that those that wait hold no more than `AHEAD_BYTES`; at least the next one."""
        return max(1, min(READERS, AHEAD_BYTES // max(self._largest, 1)))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(READERS, "read-ahead")
        return self._pool


def _timed(load: Callable[[Item], Loaded], item: Item) -> tuple[Loaded, float]:
    """What `load` gives, and the seconds in which this thread did not work."""
    started, worked = time.perf_counter(), time.thread_time()
    loaded = load(item)
    return loaded, (time.perf_counter() - started) - (time.thread_time() - worked)
