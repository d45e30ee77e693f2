"""Random tables with the rows that they must give, or with the one fault for which they must be refused."""

import gzip
import io
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from foldline.dataset.labels import Labels

# Texts that are unusual in an id, and work.
IDS = (
    *(
        "a",
        "ISIC_0015719",
        "007",
        "1.0",
        "True",
        "NA",
        "None",
        "null",
        "-1",
        "a b",
        "ä",
        "naïve",
        "日本",
        "🙂",
        "ﬁ",
        "e\u0301",
    ),
    *(
        "a,b",
        "a;b",
        'a"b',
        '"',
        "'",
        "a'b",
        "{id}",
        "{channel}",
        "#1",
        "=1+1",
        "-x",
        "~",
        "a.b",
        ".a",
        "a..",
        "%20",
        "a|b",
    ),
    *("a\xa0b", "a\u200bb", "x" * 120, "*", "?", "[a]", "$HOME", "`", "&", "<NA>", "1e5", "inf"),
)
BAD_CHARACTERS = "\t\r\n\x0b\x0c\x00\x01\x1f\x7f\x85\u2028\u2029"
# Spellings of one value.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "0": ("0", "0.0", "False", "FALSE", "false", "-0.0", "0."),
    "1": ("1", "1.0", "True", "TRUE", "true", "1.00"),
    "3": ("3", "3.0", "3."),
    "17": ("17", "17.0"),
    "10000000000000000": ("10000000000000000", "1e+16", "10000000000000000.0"),
    "-5": ("-5", "-5.0"),
    "007": ("007",),
    "1.10": ("1.10",),
    "2.5": ("2.5",),
    "P12": ("P12",),
    "p,q": ("p,q",),
    'say "x"': ('say "x"',),
    "ö ß": ("ö ß",),
    "two\nlines": ("two\nlines", "two\r\nlines", "two\rlines"),
    "a\u2028b": ("a\u2028b",),
    "1e5": ("1e5",),
    "no": ("no",),
}
MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "<NA>",
    "#N/A",
    "NaT",
    "None",
    "nan",
    "NaN",
    "null",
    "NULL",
    "-nan",
    "-NaN",
    "#NA",
    "none",
)
LINE_END = re.compile(r"\r\n|\r|\n")
CLASSES = (
    ("MEL", "NV", "BCC"),
    ("benign", "malignant"),
    ("a,b", 'c"d', "e;f", "ä"),
    ("0", "1", "2"),
    ("1", "2", "3"),
    ("3", "2", "1"),
    ("0.0", "0.5", "1.0", "2.0"),
    ("10", "20"),
    ("True", "False"),
    ("red", "green", "blue", "rare", "Negative"),
)


@dataclass
class Case:
    """A table and what must become of it.

    Attributes:
        content: bytes of the file.
        names: id column, target column or None, group column or None, metadata columns.
        labels: labels of the target column.
        rows: id, label code, group and metadata of each row; the label code may also be refused if `open_reading`.
        open_reading: whether the cells leave open what they hold.
        fault: what is wrong, as a part of the message; "" if nothing is.
        line: line that the message must name; 0 if none.
        cells: texts of all cells without spaces around them by column, as pandas must read them; None if it need not.
        pandas: what pandas has to know of the file.
    """

    content: bytes
    names: tuple[str, str | None, str | None, tuple[str, ...]]
    labels: Labels
    rows: list[tuple[str, str, str, tuple[str, ...]]]
    open_reading: bool = False
    fault: str = ""
    line: int = 0
    cells: dict[str, list[str]] | None = None
    pandas: dict[str, Any] = field(default_factory=dict)


def make_case(random: Random) -> Case:
    """A table that is right in two of three cases."""
    table = _Table(random)
    case = Case(b"", table.names, table.labels, table.rows, table.open_reading)
    fault = random.choice(FAULTS) if random.random() < 0.35 else _none
    if fault not in BYTE_FAULTS:
        fault(table, case)
    text, starts = table.text([table.header, *table.cells])
    case.line = starts[case.line] if case.line else 0
    case.content, case.pandas = table.encoded(text), table.pandas
    if fault in BYTE_FAULTS:
        fault(table, case)
    if not case.fault:
        case.cells = table.columns()
    return case


class _Table:
    """A table before it is written."""

    def __init__(self, random: Random):
        self.random = random
        count = random.choice((1, 2, 3, 5, 8, 13, 40))
        self.header = ["id"]
        self.ids = random.sample([f"{name}" for name in IDS], min(count, len(IDS)))
        self.ids += [f"s{number}" for number in range(count - len(self.ids))]
        self.cells: list[list[str]] = [[name] for name in self.ids]
        self.labels, self.open_reading = Labels(), False
        target = codes = None
        if random.random() < 0.85:
            target, codes = random.choice(("target", "Label", "dx é")), self._add_labels(count)
            self.header.append(target)
        group = groups = None
        if random.random() < 0.6:
            group, groups = "patient id", self._add_values(count, missing=False)
            self.header.append(group)
        metadata, values = [], []
        for number in range(random.randrange(3)):
            metadata.append(f"m{number}")
            values.append(self._add_values(count, missing=True))
        self.header += metadata
        self.names = ("id", target, group, tuple(metadata))
        self.rows = [
            (name, codes[n] if codes else "", groups[n] if groups else name, tuple(column[n] for column in values))
            for n, name in enumerate(self.ids)
        ]
        for number in range(random.randrange(3)):
            self.header.append(
                random.choice((f"extra {number}", f"päd{number}", f'q"{number}', f"x;{number}", f"y,{number}"))
            )
            for row in self.cells:
                row.append(random.choice(("", "1", "a b", "a,b;c", 'x"y', "z" * 300, "line\nbreak", "NA")))
        if random.random() < 0.03:
            self.header.append("mask")
            for row in self.cells:
                row.append("12 34 " * 30_000)
        order = random.sample(range(len(self.header)), len(self.header))
        self.header = [self.header[index] for index in order]
        self.cells = [[row[index] for index in order] for row in self.cells]
        self._choose_dialect()

    def _choose_dialect(self) -> None:
        random = self.random
        # Without a separator in the header, a semicolon cannot be found.
        self.separator = random.choice(",,,;\t") if len(self.header) > 1 else ","
        self.line_end = random.choice(("\n", "\n", "\r\n", "\r"))
        self.quote_all, self.blank_lines = random.random() < 0.2, random.random() < 0.2
        self.spaces = random.random() < 0.25
        self.mark, self.zipped = random.random() < 0.2, random.random() < 0.1
        self.no_end = random.random() < 0.3

    def _add_values(self, count: int, *, missing: bool) -> list[str]:
        """Add a column of a group or of metadata; the values that it must give."""
        values = []
        pool = self.random.sample(list(SPELLINGS), 5)
        for row in range(count):
            if missing and self.random.random() < 0.2:
                values.append("")
                self.cells[row].append(self.random.choice(MISSING))
            else:
                values.append(self.random.choice(pool))
                self.cells[row].append(self.random.choice(SPELLINGS[values[-1]]))
        return values

    def _add_labels(self, count: int) -> list[str]:
        """Add a column of labels; the label codes that it must give."""
        random = self.random
        if random.random() < 0.3:
            codes = [random.choice("01") for _ in range(count)]
            for row, code in enumerate(codes):
                self.cells[row].append(random.choice(SPELLINGS[code]))
            return codes
        classes = random.choice(CLASSES)
        kind = random.choice(("multiclass", "multilabel"))
        separator = random.choice(("|", " + "))
        self.labels = Labels(kind, classes, separator, empty=kind == "multilabel" and random.random() < 0.3)
        wanted = [self._classes_of_row(row, kind, len(classes)) for row in range(count)]
        way = random.choice(("names", "names", "numbers0", "numbers1", "flags"))
        for row, indices in enumerate(wanted):
            self.cells[row].append(self._label_cell(indices, way))
        numeric = any(name.replace(".", "").isdecimal() or name == "True" for name in classes)
        present = set().union(*wanted)
        # With all classes present, and names that are no numbers, only one reading fits.
        self.open_reading = way != "names" and (numeric or len(present) < len(classes) or len(classes) < 3)
        self.open_reading |= way == "names" and numeric
        return ["".join("1" if index in indices else "0" for index in range(len(classes))) for indices in wanted]

    def _classes_of_row(self, row: int, kind: str, n_classes: int) -> set[int]:
        if kind == "multiclass":
            return {row % n_classes if self.random.random() < 0.7 else self.random.randrange(n_classes)}
        least = 0 if self.labels.empty else 1
        return set(self.random.sample(range(n_classes), self.random.randint(least, n_classes)))

    def _label_cell(self, indices: set[int], way: str) -> str:
        labels, random = self.labels, self.random
        if way == "flags":
            flags = [("0", "1")[index in indices] for index in range(len(labels.classes))]
            return labels.separator.join(random.choice((flag, f"{flag}.0")) for flag in flags)
        listed = random.sample(sorted(indices), len(indices))
        if way == "names":
            return labels.separator.join(labels.classes[index] for index in listed)
        numbers = [index + int(way[-1]) for index in listed]
        return labels.separator.join(random.choice((f"{number}", f"{number}.0")) for number in numbers)

    def text(self, lines: list[list[str]]) -> tuple[str, list[int]]:
        """Text of the table, and the line on which each of `lines` starts."""
        parts, starts, number = [], [], 1
        for row in lines:
            if self.blank_lines and self.random.random() < 0.3:
                parts.append(self.line_end)
                number += 1
            starts.append(number)
            line = self.separator.join(self._cell(cell, alone=len(row) == 1) for cell in row)
            parts += [line, self.line_end]
            number += 1 + len(LINE_END.findall(line))
        text = "".join(parts)
        return (text.removesuffix(self.line_end) if self.no_end and len(parts[-2]) else text), starts

    def _cell(self, cell: str, *, alone: bool) -> str:
        quoted = self.quote_all or any(mark in cell for mark in f'"\n\r{self.separator}') or (alone and not cell)
        # Spaces at the edge of a cell that is not quoted are spaces of the table.
        text = '"' + cell.replace('"', '""') + '"' if quoted or self.random.random() < 0.05 else cell
        if self.spaces and self.separator != "\t":
            return f"{self.random.choice(('', ' '))}{text}{self.random.choice(('', ' ', '  '))}"
        return text

    def encoded(self, text: str) -> bytes:
        """Bytes of the file."""
        data = (b"\xef\xbb\xbf" if self.mark else b"") + text.encode()
        return gzip.compress(data, mtime=0) if self.zipped else data

    def columns(self) -> dict[str, list[str]]:
        """Cells of each column without spaces around them."""
        return {name.strip(): [row[index].strip() for row in self.cells] for index, name in enumerate(self.header)}

    @property
    def pandas(self) -> dict[str, Any]:
        """See `Case.pandas`."""
        return {"separator": self.separator, "zipped": self.zipped, "bare_cr": self.line_end == "\r", "encoding": ""}

    def set_cell(self, row: int, column: str, text: str) -> None:
        """Change a cell."""
        self.cells[row][self.header.index(column)] = text


def _none(table: _Table, case: Case) -> None:
    """No fault."""


def _bad_id(table: _Table, case: Case) -> None:
    row, character = table.random.randrange(len(table.cells)), table.random.choice(BAD_CHARACTERS)
    table.set_cell(row, "id", f"x{character}y")
    case.fault, case.line = ("NUL" if character == "\0" else "cannot be part of a path"), row + 1


def _empty_id(table: _Table, case: Case) -> None:
    row = table.random.randrange(len(table.cells))
    table.set_cell(row, "id", table.random.choice(("", "..", ".")))
    # A single empty cell must be quoted to be a row.
    case.fault, case.line = "id", row + 1


def _repeated_id(table: _Table, case: Case) -> None:
    if len(table.cells) > 1:
        table.set_cell(len(table.cells) - 1, "id", table.ids[0])
        case.fault, case.line = "ids must be unique", len(table.cells)


def _missing_group(table: _Table, case: Case) -> None:
    if table.names[2]:
        row = table.random.randrange(len(table.cells))
        table.set_cell(row, table.names[2], table.random.choice(MISSING))
        case.fault, case.line = "counts as missing", row + 1


def _wrong_label(table: _Table, case: Case) -> None:
    if table.names[1]:
        row = table.random.randrange(len(table.cells))
        table.set_cell(row, table.names[1], table.random.choice(("no class", "0.25", "-1", "99", "1_0", "٣")))
        case.fault, case.line = "label", row + 1


def _wrong_width(table: _Table, case: Case) -> None:
    row = table.random.randrange(len(table.cells))
    if table.random.random() < 0.5 or len(table.header) < 3:
        table.cells[row].append("more")
    else:
        table.cells[row].pop()
    case.fault, case.line = " cells", row + 1


def _column_twice(table: _Table, case: Case) -> None:
    if len(table.header) > 1:
        table.header[table.random.randrange(len(table.header))] = table.header[-1]
        case.fault = " column" if len(set(table.header)) < len(table.header) else ""


def _no_rows(table: _Table, case: Case) -> None:
    table.cells = []
    case.fault = "no rows"


def _text_of(table: _Table, case: Case) -> str:
    return (gzip.decompress(case.content) if table.zipped else case.content).decode("utf-8-sig")


def _open_quote(table: _Table, case: Case) -> None:
    text = _text_of(table, case)
    # In the last row, no later quote closes it.
    text = text + ("" if text.endswith(table.line_end) else table.line_end)
    case.line = len(LINE_END.split(text))
    case.content, case.fault = f'{text}"open{table.separator}1\n'.encode(), "quotation mark"


def _other_encoding(table: _Table, case: Case) -> None:
    name = table.random.choice(("utf-16", "utf-16-le", "utf-32", "cp1252"))
    text = _text_of(table, case)
    if name == "cp1252":
        case.content = text.encode("utf-8").replace(b"id", b"id\xe4", 1)
        case.fault = "not a CSV table in UTF-8"
    elif name in ("utf-16", "utf-32"):
        # With its mark, which is no fault.
        case.content, case.pandas = text.encode(name), {**case.pandas, "zipped": False, "encoding": name}
    else:
        case.content, case.fault = text.encode(name), "the encoding is UTF-"


def _cut_gzip(table: _Table, case: Case) -> None:
    data = gzip.compress(case.content, mtime=0)
    case.content, case.fault = data[: table.random.randint(2, len(data) - 1)], "gzip file is damaged"


# Faults of the bytes of the file, made when it is written; the others are faults of its cells.
BYTE_FAULTS = (_open_quote, _other_encoding, _cut_gzip)
FAULTS = (
    *(_bad_id, _empty_id, _repeated_id, _missing_group, _wrong_label, _wrong_width, _column_twice, _no_rows),
    *BYTE_FAULTS,
)


def damaged(random: Random, content: bytes) -> bytes:
    """A file with a few random changes of its bytes."""
    data = bytearray(content)
    for _ in range(random.randint(1, 2)):
        position = random.randrange(len(data) + 1)
        kind = random.randrange(4)
        if kind == 0:
            data[position:position] = random.choice(
                (b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xe4", b";", b" ", b"\t")
            )
        elif kind == 1:
            del data[position : position + random.randint(1, 20)]
        elif kind == 2 and position < len(data):
            data[position] = random.randrange(256)
        elif position < len(data):
            data[position] = random.randrange(48, 123)
    return bytes(data)


def parquet_of(case: Case) -> bytes | None:
    """The table of a case as Parquet, typed where all cells of a column are; None without pyarrow."""
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError:
        return None
    buffer = io.BytesIO()
    pd.DataFrame(case.cells, dtype=object).to_parquet(buffer)
    return buffer.getvalue()
