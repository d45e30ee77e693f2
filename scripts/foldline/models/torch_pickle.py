"""Read the pickles of PyTorch checkpoints: a small machine for the instructions that tensors need, which calls nothing.

`pickle.Unpickler` cannot be restricted enough: it imports what a file names, reserves memory for whatever index a file
gives, and takes exponential time for a few hundred bytes of nested tuples as keys.
"""

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

# More instructions than any network has; a file of a state dictionary has about 30 for each tensor.
MAX_INSTRUCTIONS = 5_000_000
# More pairs than the dictionaries of any network have, which Python 2 wrote as lists.
MAX_PAIRS = 500_000
STORAGE_MODULE = "torch"
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
VALUES = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    )
)
IGNORED = frozenset(("PROTO", "FRAME"))
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
CALLS = frozenset(
    (
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
    )
)


@dataclass(frozen=True)
class Global:
    """A name that a pickle refers to; it is not imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """Flat values that tensors refer to; `count` is their number."""

    key: str
    type_name: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """View of a storage; offset and strides count values, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load(stream: IO[bytes], storage_types: frozenset[str]) -> Any:
    """Read one pickle; the stream is behind it afterwards.

    Args:
        stream: the pickle, in memory: a length in it may be larger than the file.
        storage_types: names of the storages that the file may refer to, such as "FloatStorage".

    Returns:
        Numbers, texts, tuples, lists, dictionaries of texts or numbers, `Tensor` and `Storage`.

    Raises:
        ValueError, IndexError, KeyError: the pickle is damaged, or has what tensors do not need.
    """
    machine = _Machine(storage_types)
    for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if number >= MAX_INSTRUCTIONS:
            raise ValueError("too many instructions")
        if opcode.name == "STOP":
            return machine.result()
        machine.run(opcode.name, argument)
    raise ValueError("the pickle has no end")


class _Machine:
    """The state of a pickle that is being read."""

    def __init__(self, storage_types: frozenset[str]) -> None:
        self._storage_types = storage_types
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._pairs = 0

    def result(self) -> Any:
        """The value that the pickle describes."""
        (value,) = self._stack
        return value

    def run(self, name: str, argument: Any) -> None:
        """Run one instruction, named as in `pickletools`."""
        stack = self._stack
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in TUPLES:
            self._push_tuple(len(stack) - TUPLES[name])
        elif name == "TUPLE":
            self._push_tuple(self._marks.pop())
        elif name not in IGNORED:
            self._run_on_objects(name, argument)

    def _run_on_objects(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("APPEND", "APPENDS"):
            items = self._pop_from(len(stack) - 1 if name == "APPEND" else self._marks.pop())
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._pop_from(len(stack) - 2 if name == "SETITEM" else self._marks.pop())
            _set_items(self._top(dict), items)
        elif name == "GLOBAL":
            stack.append(self._global(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            module, attribute = self._pop_from(len(stack) - 2)
            stack.append(self._global(str(module), str(attribute)))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop(), self._storage_types))
        elif name == "REDUCE":
            function, arguments = self._pop_from(len(stack) - 2)
            stack.append(self._called(function, arguments))
        elif name == "BUILD":
            # Attributes of a state dictionary: version numbers of its modules.
            stack.pop()
        else:
            raise ValueError(f"the file has the instruction {name}, which tensors do not need")

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise ValueError(f"{kind.__name__} expected")
        return self._stack[-1]

    def _pop_from(self, start: int) -> list[Any]:
        """Take what is on the stack from an index on."""
        if not 0 <= start <= len(self._stack):
            raise ValueError("the stack is too short")
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _push_tuple(self, start: int) -> None:
        items = self._pop_from(start)
        self._stack.append(tuple(items))

    def _called(self, function: Any, arguments: Any) -> Any:
        """What a call in the pickle stands for."""
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise ValueError("a call of something else than a name")
        if function.name == "OrderedDict":
            return self._dictionary(*arguments)
        if function.name == "_rebuild_parameter":
            return arguments[0]
        if function.name.startswith("_rebuild_tensor"):
            return _tensor(*arguments[:4])
        raise ValueError(f"a call of {function.name}")

    def _dictionary(self, pairs: Any = ()) -> dict[str | int, Any]:
        """A dictionary, of a list of pairs if Python 2 wrote the file; a pickle may use one list many times."""
        self._pairs += len(pairs)
        if self._pairs > MAX_PAIRS:
            raise ValueError("too many values")
        items: dict[str | int, Any] = {}
        for pair in pairs:
            _set_items(items, pair)
        return items

    def _global(self, module: str, name: str) -> Global:
        if (module, name) not in CALLS and not (module == STORAGE_MODULE and name in self._storage_types):
            raise ValueError(f"the file refers to {module[:80]}.{name[:80]}, which tensors do not need")
        return Global(module, name)


def _set_items(mapping: dict[str | int, Any], items: Sequence[Any]) -> None:
    if len(items) % 2:
        raise ValueError("a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Other keys can take exponential time to compare.
        if not isinstance(key, str | int):
            raise ValueError(f"a key of type {type(key).__name__}")
        mapping[key] = value


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise ValueError("a tensor without a storage or strides")
    if not all(isinstance(number, int) for number in (offset, *shape, *strides)):
        raise ValueError("a tensor whose shape is not numbers")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _storage(reference: Any, storage_types: frozenset[str]) -> Storage:
    """The storage of a reference: "storage", its type, key, device, number of values, and no view."""
    kind, storage_type, key, _device, count, *view = reference
    if kind != "storage" or any(part is not None for part in view):
        raise ValueError("a reference to something else than a storage")
    if not (isinstance(storage_type, Global) and storage_type.name in storage_types):
        raise ValueError("a storage without a type")
    if not isinstance(key, str) or not isinstance(count, int):
        raise ValueError("a storage without a key or a size")
    return Storage(key, storage_type.name, count)
