"""Patterns of image paths: words in braces stand for values of a row, and `*` for any characters in one name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from foldline.dataset.channels import CHANNEL
from foldline.io.hdf5_paths import split_entry
from foldline.io.storage import is_url

ID, CLASS = "{id}", "{class}"
WORD = re.compile(r"\{([^{}]+)\}")
# A wildcard, and what it matches. A suffix has no dot: `a.*` is a.png, but not a.b.png.
FOLDERS, ANYTHING, NAME, SUFFIX = "**/", "**", "*", ".*"
WILDCARDS = {FOLDERS: "(?:.*/)?", ANYTHING: ".*", NAME: "[^/]*", SUFFIX: r"\.[^./]+"}
_TOKEN = re.compile(r"(\{[^{}]+\}|\*\*/|\*\*|\.\*$|\*)")
# Files with another suffix are no images, where a pattern leaves the suffix open. DICOM files often have none.
IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "webp", "tif", "tiff", "bmp", "gif", "pbm", "pgm", "ppm", "pnm", "jp2"),
        *("j2k", "j2c", "jpc", "jpx", "jxl", "avif", "heic", "heif", "dcm", "dicom", "npy"),
    )
)


@dataclass(frozen=True)
class FilledPattern:
    """A pattern with the values of a row: texts, and a wildcard between two of them.

    Attributes:
        texts: (n + 1,), literal texts.
        wildcards: (n,), keys of `WILDCARDS`.
    """

    texts: tuple[str, ...]
    wildcards: tuple[str, ...]

    def __str__(self) -> str:
        return self.texts[0] + "".join(map(str.__add__, self.wildcards, self.texts[1:]))

    def regex(self) -> str:
        """Regular expression of the paths that match."""
        parts = map(lambda wildcard, text: WILDCARDS[wildcard] + re.escape(text), self.wildcards, self.texts[1:])
        return re.escape(self.texts[0]) + "".join(parts)

    @property
    def name(self) -> str | None:
        """The name of the file without the open suffix; None if another part of it is open."""
        number = self._number_of_name
        return self.texts[number].rpartition("/")[2] if self.wildcards[number:] in ((), (SUFFIX,)) else None

    @property
    def with_any_name(self) -> "FilledPattern":
        """The pattern for all files in the folders where a file that matches may be."""
        number = self._number_of_name
        folder, slash, _ = self.texts[number].rpartition("/")
        return FilledPattern((*self.texts[:number], folder + slash, ""), (*self.wildcards[:number], NAME))

    @property
    def _number_of_name(self) -> int:
        """Number of the text in which the name of the file starts."""
        count = len(self.wildcards)
        starts = (n for n in range(count, 0, -1) if "/" in self.texts[n] or self.wildcards[n - 1] == FOLDERS)
        return next(starts, 0)


@dataclass(frozen=True)
class ImagePattern:
    """Path of an image, relative to the root of the data set, absolute, or a URL.

    Attributes:
        text: the pattern as the configuration has it: `{id}`, `{channel}` and `{COLUMN}` stand for values of a row, `*`
            for any characters but a slash, `**/` for any folders.
    """

    text: str

    @cached_property
    def parts(self) -> list[str]:
        """Literal texts, words in braces and wildcards, in order."""
        # Listings of folders have no `./` and no `//`.
        text = self.text if is_url(self.text) else str(PurePosixPath(self.text))
        return [part for part in _TOKEN.split(text) if part]

    @property
    def literal_start(self) -> str:
        """The text before the first word or wildcard."""
        first = self.parts[0] if self.parts else ""
        return "" if first in WILDCARDS or WORD.fullmatch(first) else first

    @property
    def fixed_folder(self) -> str:
        """The folder in which all files that match are, with a slash at its end; "" if it is the root."""
        return self.literal_start[: self.literal_start.rfind("/") + 1]

    @property
    def has_folders(self) -> bool:
        """Whether files that match may be in different folders."""
        below = str(PurePosixPath(self.text)) if not is_url(self.text) else self.text
        below = below[len(self.fixed_folder) :]
        return "/" in below or ANYTHING in below

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words in braces, without braces, each once."""
        return tuple(dict.fromkeys(WORD.findall(self.text)))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The words that are columns of the table."""
        return tuple(word for word in self.words if f"{{{word}}}" not in (ID, CHANNEL))

    @property
    def is_in_hdf5(self) -> bool:
        """Whether images are in an HDF5 file."""
        return split_entry(self.text) is not None

    @property
    def has_wildcards(self) -> bool:
        """Whether it leaves a part of the path open."""
        return not WILDCARDS.keys().isdisjoint(self.parts)

    @property
    def is_plain(self) -> bool:
        """Whether the location of the image follows from id and channel alone."""
        return not self.columns and not self.has_wildcards and not self.is_in_hdf5

    @property
    def leaves_suffix_open(self) -> bool:
        """Whether files of any suffix match."""
        return bool(self.parts) and (self.parts[-1] in WILDCARDS or WORD.fullmatch(self.parts[-1]) is not None)

    @property
    def with_any_suffix(self) -> str:
        """The pattern for files of any suffix."""
        last = self.parts[-1] if self.parts else ""
        suffix = "" if WORD.fullmatch(last) else PurePosixPath(f"x{last}").suffix
        return self.text if last in WILDCARDS else f"{self.text.removesuffix(suffix)}{SUFFIX}"

    def filled(self, values: Mapping[str, str]) -> FilledPattern:
        """The pattern with the values of a row, by word."""
        texts, wildcards = [""], []
        for part in self.parts:
            if part in WILDCARDS:
                wildcards.append(part)
                texts.append("")
            else:
                texts[-1] += values[part[1:-1]] if WORD.fullmatch(part) else part
        return FilledPattern(tuple(texts), tuple(wildcards))

    def regex(self, *, for_channels: bool = False, channels: Sequence[str] = ()) -> tuple[str, dict[str, str]]:
        """Regular expression of the paths that match any values, and the name of the group of each word.

        A value has no slash. The second place of a word has what the first one has. Of several ways to divide a name,
        all values but that of `{id}` are as short as possible.

        Args:
            for_channels: whether only the channel has no slash and is as short as possible, as cells may be paths.
            channels: the channels that match; any if there are none.
        """
        groups: dict[str, str] = {}
        text = ""
        for part in self.parts:
            word = WORD.fullmatch(part)
            if part in WILDCARDS:
                text += WILDCARDS[part]
            elif word is None:
                text += re.escape(part)
            elif word[1] in groups:
                text += f"(?P={groups[word[1]]})"
            else:
                groups[word[1]] = f"word{len(groups)}"
                value = "[^/]+" if part == ID else "[^/]+?"
                if for_channels:
                    value = ".+" if part != CHANNEL else "|".join(map(re.escape, channels)) or value
                text += f"(?P<{groups[word[1]]}>{value})"
        return text, groups


def parsed(patterns: Sequence[str]) -> tuple[ImagePattern, ...]:
    """Patterns from their texts."""
    return tuple(map(ImagePattern, patterns))
