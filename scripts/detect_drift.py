"""Tell how well test images can be told from training images, and by what.

Inputs: train_inventory and test_inventory (tables of both splits), train_thumbnails and test_thumbnails, train_leaks
    and test_leaks (duplicates, whose images count as one group), embeddings (of both splits; none if images are not
    embedded).
Outputs: drift (JSON, see `evaluation.drift_results.Drift`).
Parameters: the fields of `DriftConfig`.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from foldline.dataset.id_hash import id_hash
from foldline.errors import counted
from foldline.evaluation.drift_comparison import TEST, TRAIN, find_drift
from foldline.evaluation.drift_results import FACTS, METADATA, Drift
from foldline.evaluation.image_facts import image_facts
from foldline.io.embeddings import embeddings_of
from foldline.io.files import write_json
from foldline.io.settings import build
from foldline.io.tables import INVENTORY, LEAKS, read_table, read_tables
from foldline.io.thumbnails import read_thumbnails
from foldline.splits.connected_groups import join_groups
from foldline.step import step

logger = logging.getLogger(__name__)

# Of each split; of more images, those with the lowest hash of their group.
MOST_IMAGES = 10_000


@dataclass(frozen=True)
class DriftConfig:
    """What is compared.

    Attributes:
        metadata_columns: columns to compare.
        group_columns: columns whose equal values belong together, where the inventory has them as metadata.
        channels: names of the channels of a sample; none for RGB or gray images.
        confidence: coverage of the intervals, in (0, 1).
    """

    metadata_columns: tuple[str, ...]
    group_columns: tuple[str, ...]
    channels: tuple[str, ...]
    confidence: float


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        train_inventory: tables of the training images.
        test_inventory: tables of the test images.
        train_thumbnails: tables of their thumbnails.
        test_thumbnails: the same of the test images.
        train_leaks: duplicates within the training images.
        test_leaks: duplicates with a test image.
        embeddings: vectors of both splits, FOLDER/SPLIT.parquet; none if images are not embedded.
    """

    train_inventory: Sequence[str | Path]
    test_inventory: Sequence[str | Path]
    train_thumbnails: Sequence[str | Path]
    test_thumbnails: Sequence[str | Path]
    train_leaks: str | Path
    test_leaks: str | Path
    embeddings: Sequence[str | Path]


def detect_drift(inputs: Inputs, drift: str | Path, config: DriftConfig) -> None:
    """Compare the images of both splits by what is known of them.

    Args:
        inputs: tables to read.
        drift: where the JSON file is written.
        config: what is compared.

    Raises:
        FoldlineError: a table is damaged.
    """
    splits = {TRAIN: inputs.train_inventory, TEST: inputs.test_inventory}
    tables = [read_tables(paths, INVENTORY).assign(split=name) for name, paths in splits.items()]
    images = pd.concat(tables, ignore_index=True)
    images = _sampled(images.assign(group=_groups(images, inputs, config)))
    found = find_drift(
        {FACTS: _facts(images, inputs, config), METADATA: _metadata(images, config)},
        ids=list(images["id"]),
        is_test=(images["split"] == TEST).to_numpy(),
        groups=list(images["group"]),
        confidence=config.confidence,
        vectors=_vectors(images, inputs.embeddings),
    )
    write_json(drift, asdict(found))
    _log(found)


def _groups(images: pd.DataFrame, inputs: Inputs, config: DriftConfig) -> list[str]:
    """Group of each image: that of its table, joined by the group columns of both tables and by duplicates."""
    own = [f"{split}/{group}" for split, group in zip(images["split"], images["group"], strict=True)]
    group_of = dict(zip(zip(images["split"], images["id"], strict=True), own, strict=True))
    links = []
    # The table of the test images is read without groups; where the column is metadata too, it has them.
    for name in config.group_columns:
        cells = images[name] if name in images.columns else []
        links += [(f"{name}={cell}", group) for cell, group in zip(cells, own, strict=False) if cell]
    for split, path in ((TRAIN, inputs.train_leaks), (TEST, inputs.test_leaks)):
        pairs = read_table(path, LEAKS, key=("id", "other_split", "other_id"))
        ends = zip(pairs["id"], pairs["other_split"], pairs["other_id"], strict=True)
        # Copies of external images are of no split that is compared.
        links += [
            (group_of[split, name], group_of[other_split, other])
            for name, other_split, other in ends
            if other_split in (TRAIN, TEST)
        ]
    joined = join_groups([*own, *(value for value, _ in links)], links)
    return [joined[group] for group in own]


def _sampled(images: pd.DataFrame) -> pd.DataFrame:
    """All images, or of a large split whole groups with about `MOST_IMAGES` images."""
    parts = []
    for _, rows in images.groupby("split", sort=False):
        order = sorted(rows.index, key=lambda number: (id_hash(str(images["group"][number])), images["id"][number]))
        parts += order[:MOST_IMAGES]
    return images.loc[sorted(parts)].reset_index(drop=True)


def _facts(images: pd.DataFrame, inputs: Inputs, config: DriftConfig) -> pd.DataFrame:
    parts = []
    for split, paths in ((TRAIN, inputs.train_thumbnails), (TEST, inputs.test_thumbnails)):
        rows = images[images["split"] == split]
        parts.append(image_facts(rows, read_thumbnails(paths, set(rows["id"])), config.channels).set_index(rows.index))
    return pd.concat(parts).sort_index()


def _vectors(images: pd.DataFrame, embeddings: Sequence[str | Path]) -> npt.NDArray[np.float64] | None:
    """Vector of each image, (n_rows, n_values); None if images are not embedded."""
    paths = {Path(path).stem: path for path in embeddings}
    if not paths:
        return None
    found = []
    for split, path in paths.items():
        rows = images[images["split"] == split]
        found.append(pd.DataFrame(embeddings_of(path, list(rows["id"])).astype(np.float64), index=rows.index))
    return pd.concat(found).sort_index().to_numpy()


def _metadata(images: pd.DataFrame, config: DriftConfig) -> pd.DataFrame:
    """Metadata columns as numbers where all of their values are numbers."""
    columns = {}
    for name in config.metadata_columns:
        if name in config.group_columns:
            continue
        cells = images[name].where(images[name] != "")
        numbers = pd.to_numeric(cells, errors="coerce")
        columns[name] = numbers if (numbers.notna() == cells.notna()).all() else images[name]
    return pd.DataFrame(columns, index=images.index)


def _log(found: Drift) -> None:
    sizes = " and ".join(counted(count, f"{name} image") for name, count in found.images.items())
    if found.reason is not None:
        logger.info("%s are not compared: %s", sizes, found.reason)
    for one in found.sets:
        auc = one.auc
        if auc.value is not None and auc.low is not None and auc.high is not None:
            logger.info("%s by %s: ROC AUC %.3f (%.3f to %.3f)", sizes, one.name, auc.value, auc.low, auc.high)


if __name__ == "__main__":
    with step(snakemake):
        detect_drift(
            Inputs(
                train_inventory=snakemake.input.train_inventory,
                test_inventory=snakemake.input.test_inventory,
                train_thumbnails=snakemake.input.train_thumbnails,
                test_thumbnails=snakemake.input.test_thumbnails,
                train_leaks=snakemake.input.train_leaks,
                test_leaks=snakemake.input.test_leaks,
                embeddings=snakemake.input.embeddings,
            ),
            snakemake.output.drift,
            build(DriftConfig, snakemake.params.settings),
        )
