"""Write the classes and vocabularies of the run, those read from the data too, for people.

Outputs: words (JSON: classes, and the vocabulary of each categorical column, in order).
Parameters: classes, vocabularies.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from foldline.io.files import atomic_write
from foldline.step import step


def list_classes(*, words: str | Path, classes: Sequence[str], vocabularies: Mapping[str, Sequence[str]]) -> None:
    """Write classes and vocabularies as readable JSON.

    Args:
        words: where the JSON file is written.
        classes: names of the classes, in order.
        vocabularies: values of each categorical column, in order.
    """
    content = {"classes": list(classes), "vocabularies": {name: list(values) for name, values in vocabularies.items()}}
    with atomic_write(words, mode="w", encoding="utf-8") as handle:
        handle.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    with step(snakemake):
        list_classes(words=snakemake.output.words, **snakemake.params.settings)
