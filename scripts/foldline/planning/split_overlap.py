"""No sample may be in two splits: neither a TFRecord file nor an id, unless a test image of that id is another one."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from foldline.dataset.cell_values import composed
from foldline.errors import FoldlineError, counted, listing
from foldline.io import storage
from foldline.planning.dataset_section import TEST, TRAIN, image_pattern, is_made_table, record_patterns
from foldline.planning.samples import Samples


def check_record_files(dataset: Mapping[str, Any]) -> None:
    """Refuse TFRecord files that the patterns of both splits match, before they are read.

    Raises:
        FoldlineError: names the patterns and the files.
    """
    patterns = {split: record_patterns(dataset, split) or [] for split in (TRAIN, TEST)}
    if not all(patterns.values()):
        return
    files = {
        split: {file for pattern in some for file in storage.find_files(dataset["root"], pattern)}
        for split, some in patterns.items()
    }
    shared = sorted(files[TRAIN] & files[TEST])
    if shared:
        train, test = (f"dataset.{split}_records [{listing(some)}]" for split, some in patterns.items())
        raise FoldlineError(
            f"config: {train} and {test} both match {counted(len(shared), 'file')}: {listing(shared, limit=3)}; "
            "change the patterns so that a file is in one split"
        )


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
    for first, second in combinations(splits, 2):
        of_first, of_second = contents[first], contents[second]
        shared = sorted(of_first.keys() & of_second.keys())
        if TEST in (first, second):
            shared = [name for name in shared if of_first[name] == of_second[name]]
        if shared:
            where = " and ".join(
                _place(dataset, split, splits[split], tables[split], shared[0]) for split in (first, second)
            )
            raise FoldlineError(
                f"{where}: id {listing(shared)} in both the {first} and the {second} split; remove it from one of them"
            )


def _place(dataset: Mapping[str, Any], split: str, samples: Samples, table: str, name: str) -> str:
    """Where the user finds a sample: the line of a table, or the file from which Foldline made its own table."""
    row = list(_composed(samples.rows.id)).index(name)
    if record_patterns(dataset, split) is not None:
        return f"{storage.join(dataset['root'], samples.files[row])} (dataset.{split}_records)"
    if is_made_table(dataset, split):
        pattern = image_pattern(dataset, split) or ""
        return f"{storage.join(dataset['root'], pattern)} (dataset.{split}_images)"
    return f"{table}, line {samples.rows.line[row]}"


def _composed(ids: Sequence[str]) -> Sequence[str]:
    """The ids in one spelling of their accents, in which two that look alike are equal."""
    return ids if all(map(str.isascii, ids)) else list(map(composed, ids))
