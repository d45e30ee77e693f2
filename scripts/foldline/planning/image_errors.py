"""Errors for image files that do not exist or cannot be used."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from foldline.dataset.cell_values import composed, whole_number
from foldline.errors import FoldlineError, counted, listing, problems_error
from foldline.images.errors import names_a_key, range_problem
from foldline.images.heic_decoder import decoder_problem
from foldline.io.storage import is_url
from foldline.planning.image_patterns import IMAGE_SUFFIXES

# Problems that a message spells out.
SHOWN = 5
# Lines for images whose headers cannot be used; each may have a problem of its own.
MOST_LINES = 30
REMEDY = (
    "add or repair the images, or correct dataset.root or the path of the images in the config (dataset.train_images, "
    "dataset.test_images, dataset.image_column, dataset.external.SET.images)"
)


def instead_of(path: str) -> str:
    """Files with the name of an image that does not exist, as the end of a message; "" if there are none."""
    if is_url(path):
        return ": it is a URL, from which nothing is downloaded; download the images, and write their paths"
    wanted = Path(path)
    if not wanted.parent.is_dir():
        return f", nor does its folder {wanted.parent}{other_case(wanted.parent)}"
    if wanted.is_symlink():
        return f": it is a link to {wanted.readlink()}, which does not exist"
    return similar_names(path, _names_beside(path))


def other_case(folder: Path) -> str:
    """The folder whose path differs in case alone, as the end of a message; "" if there is none."""
    there = _in_other_case(folder)
    return f", but there is {there} (case counts)" if there else ""


def _in_other_case(folder: Path) -> Path | None:
    """The folder whose path differs in case alone; None if there is none."""
    parts = [] if folder.is_absolute() else [Path()]
    for part in (folder, *folder.parents):
        if part.is_dir():
            parts = [part]
            break
    for name in folder.relative_to(parts[0]).parts:
        entries = [other for part in parts for other in sorted(part.iterdir()) if other.is_dir()]
        parts = [other for other in entries if other.name.casefold() == name.casefold()]
    return next(iter(parts), None)


def similar_names(path: str, names: Iterable[str]) -> str:
    """Those of the files in the folder of a missing image that have its name, as the end of a message; "" for none.

    Args:
        path: path of the image.
        names: the files, by their names or by paths that end in them.
    """
    stem, names = _stem(path), sorted(names)
    folded = composed(stem).casefold()
    others = [name for name in names if folded in (composed(text).casefold() for text in (_stem(name), _name(name)))]
    case = " (case counts)" if others and not any(_name(name).startswith(stem) for name in others) else ""
    if case and any(composed(_name(name)).startswith(composed(stem)) for name in others):
        case = (
            " (its accents are characters of their own, as macOS writes them; rename the file, or write the id like it)"
        )
    number = _number(stem)
    if not others and number is not None:
        # A spreadsheet makes 12 of 0012, and pandas 12.0 if a cell of the column is empty.
        others = [name for name in names if _stem(name).isdecimal() and _number(_stem(name)) == number]
        point = "" if stem.isdecimal() else ", and so does .0"
        case = f" (leading zeros count{point}: write the id as the file has it)"
    return f", but there is {listing(others)}{case}" if others else ""


def other_suffix_exists(path: str, names: Iterable[str] | None = None) -> bool:
    """Whether a missing image is there with another suffix, in the same case, or with its last suffix left out.

    Args:
        path: path or URL of the image.
        names: the files in its folder; None to look for them on the disk.
    """
    stem = _stem(path)
    return any(stem in (_stem(name), name) for name in (_names_beside(path) if names is None else names))


def _names_beside(path: str) -> list[str]:
    """Names in the folder of a missing image on a disk."""
    wanted = Path(path)
    if is_url(path) or wanted.is_symlink() or not wanted.parent.is_dir():
        return []
    return [other.name for other in wanted.parent.iterdir()]


def _number(stem: str) -> int | None:
    """Value of a whole number, with leading zeros or with `.0`; None for another name."""
    return int(stem) if stem.isascii() and stem.isdecimal() else whole_number(stem)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """Name without the suffix of an image; other names may have dots."""
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in IMAGE_SUFFIXES else name.name


def unusable(problems: dict[int, str], row_of: Callable[[int], str], hint: str = "") -> FoldlineError:
    """The error for images, by their numbers, that do not exist or cannot be read; `hint` is the first thing to try."""
    told = [f"{row_of(number)}: {text}" for number, text in list(problems.items())[:SHOWN]]
    rest = len(problems) - len(told)
    more = f"; and {rest} more ({counted(len(problems), 'image')} in all)" if rest > 0 else ""
    return FoldlineError(f"{'; '.join(told)}{more}; {hint and f'{hint}, '}{REMEDY}")


def unusable_headers(problems: dict[int, str], row_of: Callable[[int], str]) -> FoldlineError:
    """The error for images, by their numbers, whose headers cannot be used: a line for each of the first."""
    told = list(problems.items())[:MOST_LINES]
    lines = [
        f"{row_of(number)}: {text}{'' if names_a_key(text) else '; replace the file, or leave the image out'}"
        for number, text in told
    ]
    rest = len(problems) - len(lines)
    lines += [f"and {counted(rest, 'more image', 'more images')} with unusable headers"] if rest > 0 else []
    return problems_error(lines)


def unranged_images(
    unranged: Mapping[str, Sequence[int]], paths: Sequence[str], row_of: Callable[[int], str]
) -> Iterator[str]:
    """A problem for each kind of samples of which none is known to be white.

    Args:
        unranged: numbers of the images by `images.headers.Header.unranged`.
        paths: (n_images,), paths of all images.
        row_of: see `image_files.ImageFiles.facts`.
    """
    for samples, numbers in unranged.items():
        yield _first_of(numbers, paths, row_of, range_problem(samples))


def missing_decoder(heic: Sequence[int], paths: Sequence[str], row_of: Callable[[int], str]) -> list[str]:
    """A problem of the HEIC images if the optional package that decodes them is not installed; none without them.

    Args:
        heic: numbers of the HEIC images.
        paths: (n_images,), paths of all images.
        row_of: see `image_files.ImageFiles.facts`.
    """
    problem = decoder_problem() if heic else ""
    return [_first_of(heic, paths, row_of, problem)] if problem else []


def _first_of(numbers: Sequence[int], paths: Sequence[str], row_of: Callable[[int], str], problem: str) -> str:
    """A line for images with the same problem."""
    first, rest = numbers[0], len(numbers) - 1
    more = f" (and {counted(rest, 'more image')})" if rest else ""
    return f"{row_of(first)}: image {paths[first]}{more} cannot be used: {problem}"
