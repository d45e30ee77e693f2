"""A configuration with wrong values, for checks that only look at the right ones."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class UnusableValueError(Exception):
    """A check has read a value that is missing or wrong; the schema has reported it."""


class UsableValues(Mapping[str, Any]):
    """A mapping in which reading a wrong or missing value raises `UnusableValueError`, at every level."""

    def __init__(self, values: Mapping[str, Any], wrong: Iterable[tuple[str, ...]]) -> None:
        """Hide wrong values.

        Args:
            values: the values.
            wrong: paths of keys to wrong values; the empty path means the mapping itself and hides nothing.
        """
        self._values, self._wrong = values, {path for path in wrong if path}

    def __getitem__(self, key: str) -> Any:
        """Value of a key; mappings in it hide their own wrong values."""
        if key not in self._values or (key,) in self._wrong:
            raise UnusableValueError(key)
        value = self._values[key]
        if not isinstance(value, Mapping):
            return value
        return UsableValues(value, (path[1:] for path in self._wrong if path[0] == key))

    def __contains__(self, key: object) -> bool:
        """Whether the mapping has a key, with a right or a wrong value."""
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        """All keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Number of keys."""
        return len(self._values)
