"""Take the vectors of a split from the user's own table, instead of embedding its images.

Inputs: inventory (tables of the split); the table of vectors is no input of the rule.
Outputs: embeddings (a vector per id).
Parameters: features, path of the table.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.errors import counted, problems_error
from foldline.io.embeddings import feature_problems, read_features, write_embeddings
from foldline.io.tables import INVENTORY, read_tables
from foldline.step import step

logger = logging.getLogger(__name__)


def import_features(
    inventory: Sequence[str | Path], embeddings: str | Path, *, features: str | Path, split: str
) -> None:
    """Write the vectors of all rows of a split, sorted by id.

    Args:
        inventory: tables of the split.
        embeddings: file to write, see `io.embeddings`.
        features: table of the user, see `io.embeddings.feature_problems`.
        split: the split.

    Raises:
        FoldlineError: names all problems of the table.
    """
    ids = list(read_tables(inventory, INVENTORY)["id"])
    if problems := feature_problems(features, {split: ids}):
        raise problems_error([f"dataset.features: {features}: {problem}" for problem in problems])
    vectors = read_features(features, split, ids)
    write_embeddings(embeddings, ids, vectors)
    logger.info("%s: %s of %s", split, counted(len(ids), "vector"), counted(vectors.shape[1], "value"))


if __name__ == "__main__":
    with step(snakemake):
        import_features(
            snakemake.input.inventory,
            snakemake.output.embeddings,
            features=snakemake.params.settings["features"],
            split=snakemake.wildcards.split,
        )
