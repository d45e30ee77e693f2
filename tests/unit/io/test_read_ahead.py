"""Items that are loaded before they are needed: in order, only if that makes wait, and no more than memory allows."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from foldline.io import read_ahead
from foldline.io.read_ahead import READERS, ReadAhead
from foldline.io.workers import ordered_map

DELAY = 0.02


@dataclass(frozen=True)
class Content:
    """What the loaders here give."""

    number: int
    bytes: int = 1


class SlowLoader:
    """Takes its time, and notes what was loaded, in which threads, and how many loads ran at a time."""

    def __init__(self, size: int = 1, delay: float = DELAY, load: Callable[[int], object] = str) -> None:
        self.size, self.delay, self.load = size, delay, load
        self.loaded: list[int] = []
        self.threads: set[str] = set()
        self.running = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, number: int) -> Content:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.loaded.append(number)
            self.threads.add(threading.current_thread().name)
        # Later items are sooner there.
        time.sleep(self.delay * (1 + number % 3))
        self.load(number)
        with self.lock:
            self.running -= 1
        return Content(number, self.size)


def test_items_come_in_order_and_several_are_loaded_at_a_time() -> None:
    loader = SlowLoader()
    pairs = list(ReadAhead[int, Content]().over(range(30), loader))
    assert [(item, loaded.number) for item, loaded in pairs] == [(number, number) for number in range(30)]
    assert sorted(loader.loaded) == list(range(30))
    assert 3 <= loader.most <= READERS


def test_a_loader_that_makes_nobody_wait_gets_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "WAIT_SECONDS", 60)
    loader = SlowLoader(delay=0)
    assert len(list(ReadAhead[int, Content]().over(range(30), loader))) == 30
    assert loader.threads == {threading.current_thread().name}


@pytest.mark.parametrize(
    ("size", "most"), [(read_ahead.AHEAD_BYTES, 1), (read_ahead.AHEAD_BYTES // 3, 3), (0, READERS)]
)
def test_no_more_is_loaded_than_memory_allows(size: int, most: int) -> None:
    loader = SlowLoader(size)
    taken = 0
    for number, _ in ReadAhead[int, Content]().over(range(40), loader):
        taken = max(taken, len(loader.loaded) - number - 1)
    assert taken <= most
    assert loader.most <= most


def test_an_error_is_raised_when_its_item_is_due() -> None:
    loader = SlowLoader(load=lambda number: 1 / (number - 7))
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        for item, _ in ReadAhead[int, Content]().over(range(20), loader):
            seen.append(item)
    assert seen == list(range(7))


def load_number(number: int) -> Content:
    time.sleep(DELAY)
    return Content(10 * number)


def added(number: int, content: Content) -> int:
    return number + content.number


@pytest.mark.parametrize("workers", [1, 2])
def test_a_map_hands_over_what_was_loaded(workers: int) -> None:
    found = ordered_map(added, range(19), workers=workers, chunk=5, load=load_number)
    assert list(found) == [11 * number for number in range(19)]
