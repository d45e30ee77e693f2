"""The files of a folder, sorted, so that those that match a pattern are found without a look at each."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

from foldline.planning.image_patterns import ANYTHING, FOLDERS, FilledPattern

# No name has a later character.
_LAST = chr(0x10FFFF)


class FolderFiles:
    """The files of a folder, and maybe of the folders in it, by their paths relative to it."""

    def __init__(self, names: Sequence[str]) -> None:
        """Sort the paths; a part of a path that starts with a dot is hidden from wildcards."""
        self._all = frozenset(names)
        self._names = sorted(name for name in names if not name.startswith(".") and "/." not in name)

    def matches(self, pattern: FilledPattern) -> list[str]:
        """The paths that match a pattern, sorted."""
        if not pattern.wildcards:
            return [pattern.texts[0]] if pattern.texts[0] in self._all else []
        first, last = pattern.texts[0], pattern.texts[-1]
        named = [self._between(self._names, first), self._between(self._reversed, last[::-1])]
        start = _start_of_name(pattern)
        named.append(self._between(self._by_file_name, start))
        order, candidates = min(enumerate(named), key=lambda one: len(one[1]))
        expression = re.compile(pattern.regex())
        found = []
        for number in candidates:
            name = self._found_name(order, number)
            # Most of the others fail here, which costs less.
            if name.startswith(first) and name.endswith(last) and expression.fullmatch(name):
                found.append(name)
        return sorted(found)

    def _found_name(self, order: int, number: int) -> str:
        if order == 0:
            return self._names[number]
        if order == 1:
            return self._reversed[number][::-1]
        file, _, folder = self._by_file_name[number].partition("/")
        return f"{folder}/{file}" if folder else file

    @staticmethod
    def _between(names: Sequence[str], prefix: str) -> range:
        return range(bisect_left(names, prefix), bisect_left(names, prefix + _LAST))

    @cached_property
    def _reversed(self) -> list[str]:
        return sorted(name[::-1] for name in self._names)

    @cached_property
    def _by_file_name(self) -> list[str]:
        """The paths, each with its last part first."""
        parts = (name.rpartition("/") for name in self._names)
        return sorted(f"{file}/{folder}" if folder else file for folder, _, file in parts)


def _start_of_name(pattern: FilledPattern) -> str:
    """How the last part of a path that matches starts, if it is known."""
    for number in range(len(pattern.wildcards), 0, -1):
        text, wildcard = pattern.texts[number], pattern.wildcards[number - 1]
        if "/" in text:
            return text.rpartition("/")[2]
        if wildcard in (FOLDERS, ANYTHING):
            return text if wildcard == FOLDERS else ""
    return pattern.texts[0].rpartition("/")[2]
