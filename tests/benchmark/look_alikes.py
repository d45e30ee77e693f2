"""How many of the first pairs that look alike show one object, by cosine, by local scaling and by the workflow.

    python tests/benchmark/look_alikes.py RESULTS --groups TABLE.csv ... --id image_name --group patient_id
        [--pairs 200] [--known PAIRS.csv]

RESULTS is the folder of a run with embeddings. The groups of the tables, such as lesions, are withheld from the
ranking: all pairs of images are ranked, and the share of the first ones that are of one group is printed. Cosines are
those of centered vectors; local scaling is twice the cosine minus the mean cosines of both images to their 10 nearest.
With --known, a table with the columns id and other_id, pairs within a group are left out, and the known pairs (such as
photographs of one lesion with two ids) among the first are counted.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.io.embeddings import read_embeddings
from foldline.leaks.embedding_neighbors import LISTED, SURROUNDINGS, nearest
from foldline.leaks.look_alikes import ranked_look_alikes
from look_alikes import features_of

Listed = Callable[[np.ndarray], np.ndarray]
Ranking = Callable[[Listed], np.ndarray]


def by_cosine(vectors: np.ndarray, *, scaled: bool) -> Ranking:
    """Rank pairs by the cosines of centered vectors, or by local scaling of them."""
    centered = vectors.astype(np.float32) - vectors.mean(axis=0, dtype=np.float32)
    found = nearest(centered / np.linalg.norm(centered, axis=1, keepdims=True), LISTED)
    usual = found.similarities[:, :SURROUNDINGS].mean(axis=1) * scaled
    pairs = np.column_stack([np.repeat(np.arange(len(usual)), LISTED), found.numbers.ravel()])
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    scores = (1 + scaled) * found.similarities.ravel()[first] - usual[pairs[:, 0]] - usual[pairs[:, 1]]
    order = np.argsort(-scores, kind="stable")
    return lambda is_listed: pairs[order][is_listed(pairs[order])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--groups", type=Path, nargs="+", required=True, help="tables of the groups")
    parser.add_argument("--id", required=True, help="column of the ids")
    parser.add_argument("--group", required=True, help="column of the groups")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--known", type=Path)
    options = parser.parse_args()
    groups = pd.concat([pd.read_csv(path, dtype=str).set_index(options.id)[options.group] for path in options.groups])
    tables, parts = [], []
    for path in sorted((options.results / "embeddings").glob("*.parquet")):
        ids, vectors = read_embeddings(path)
        tables.append(pd.DataFrame({"id": ids, "split": path.stem}))
        parts.append(vectors)
    images = pd.concat(tables, ignore_index=True)
    grouped = images["id"].isin(groups.index) if options.known is None else np.ones(len(images), dtype=bool)
    images, vectors = images[grouped].reset_index(drop=True), np.concatenate(parts)[grouped]
    thumbnails = {
        split: sorted((options.results / "thumbnails" / split).glob("*.parquet")) for split in set(images["split"])
    }
    # Images without a group are groups of their own.
    codes = pd.factorize(images["id"].map(groups).fillna("alone " + images["id"]))[0]
    start = time.process_time()

    def ranked(is_listed: Listed) -> np.ndarray:
        return ranked_look_alikes(
            vectors, lambda rows: features_of(images.iloc[rows], thumbnails), is_listed=is_listed
        )[0]

    rankings: dict[str, Ranking] = {
        "cosine": by_cosine(vectors, scaled=False),
        "local scaling": by_cosine(vectors, scaled=True),
        "look_alikes": ranked,
    }
    print(f"{len(images)} images, {len(images) - len(np.unique(codes))} of them further ones of their group")
    for name, ranking in rankings.items():
        first = ranking(lambda pairs: np.ones(len(pairs), dtype=bool))[: options.pairs]
        share = (codes[first[:, 0]] == codes[first[:, 1]]).mean()
        print(f"  {name:14} share of the first {options.pairs} pairs in one group: {share:.3f}")
        if options.known is not None:
            table = pd.read_csv(options.known, dtype=str)
            known = {frozenset(pair) for pair in zip(table["id"], table["other_id"], strict=True)}
            first = ranking(lambda pairs: codes[pairs[:, 0]] != codes[pairs[:, 1]])[: options.pairs]
            names = images["id"].to_numpy()
            found = known & {frozenset(pair) for pair in zip(names[first[:, 0]], names[first[:, 1]], strict=True)}
            print(f"  {'':14} known pairs among the first {options.pairs} across groups: {len(found)} of {len(known)}")
    print(f"{time.process_time() - start:.0f} CPU-s")


if __name__ == "__main__":
    main()
