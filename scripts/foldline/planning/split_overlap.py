"""No sample may be in two splits: neither a TFRecord file nor an id, unless a test image of that id is another one."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from foldline.dataset.cell_values import composed
from foldline.errors import counted, listing, problems_error
from foldline.io import storage
from foldline.planning.dataset_section import image_patterns, is_made_table, record_patterns
from foldline.planning.dataset_splits import TEST, TRAIN, key_of, splits_of
from foldline.planning.samples import Samples

# Ids of each two splits that a message names one by one.
MOST_IDS = 5


def check_record_files(dataset: Mapping[str, Any]) -> None:
    """Refuse TFRecord files that the patterns of two splits match, before they are read.

    Raises:
        FoldlineError: names the patterns and the files.
    """
    patterns = {split: record_patterns(dataset, split) or [] for split in splits_of(dataset)}
    files = {
        split: {file for pattern in some for file in storage.find_files(dataset["root"], pattern)}
        for split, some in patterns.items()
        if some
    }
    problems = []
    for first, second in combinations(files, 2):
        shared = sorted(files[first] & files[second])
        if shared:
            one, other = (f"{key_of(split, 'records')} [{listing(patterns[split])}]" for split in (first, second))
            problems.append(
                f"config: {one} and {other} both match {counted(len(shared), 'file')}: {listing(shared, limit=3)}; "
                "change the patterns so that a file is in one split"
            )
    if problems:
        raise problems_error(problems)


def check_ids_of_splits(dataset: Mapping[str, Any], splits: Mapping[str, Samples], tables: Mapping[str, str]) -> None:
    """Refuse samples that are in two splits.

    Ids of labeled rows are unique. A test row may have the id of another image: public sets number the images of each
    folder from 1.

    Args:
        dataset: the section of the configuration.
        splits: samples of each split.
        tables: table of each split.

    Raises:
        FoldlineError: an id is in two labeled splits, or has the same images in both splits.
    """
    contents = {
        split: dict(zip(_composed(samples.rows.id), samples.contents, strict=True)) for split, samples in splits.items()
    }
    problems = []
    for first, second in combinations(splits, 2):
        of_first, of_second = contents[first], contents[second]
        shared = sorted(of_first.keys() & of_second.keys())
        if TEST in (first, second):
            shared = [name for name in shared if of_first[name] == of_second[name]]
        for name in shared[:MOST_IDS]:
            where = " and ".join(_place(dataset, one, splits[one], tables[one], name) for one in (first, second))
            equal = of_first[name] == of_second[name]
            remedy = "remove it from one of them" if equal else "its images differ: rename it in one of them"
            problems.append(f"{where}: id {name} in both the {first} and the {second} split; {remedy}")
        if len(shared) > MOST_IDS:
            rest = counted(len(shared) - MOST_IDS, "more id")
            problems.append(f"{rest} in both the {first} and the {second} split")
    if problems:
        raise problems_error(problems)


def _place(dataset: Mapping[str, Any], split: str, samples: Samples, table: str, name: str) -> str:
    """Where the user finds a sample: the line of a table, or the file from which Foldline made its own table."""
    row = list(_composed(samples.rows.id)).index(name)
    if record_patterns(dataset, split) is not None:
        return f"{storage.join(dataset['root'], samples.files[row])} ({key_of(split, 'records')})"
    if is_made_table(dataset, split):
        patterns = [storage.join(dataset["root"], pattern.text) for pattern in image_patterns(dataset, split)]
        return f"{listing(patterns)} ({'dataset.class_folders' if split == TRAIN else key_of(split, 'images')})"
    return f"{table}, line {samples.rows.line[row]}"


def _composed(ids: Sequence[str]) -> Sequence[str]:
    """The ids in one spelling of their accents, in which two that look alike are equal."""
    return ids if all(map(str.isascii, ids)) else list(map(composed, ids))
