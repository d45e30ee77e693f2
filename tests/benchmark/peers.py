"""Scores of simpler ways to spend the time of a finished run, on its folds and images.

    python tests/benchmark/peers.py RESULTS [--folds 0 ...] [--score mel] [--fit-epochs 6]
        [--backbone efficientnet-lite0]

RESULTS is the folder of a run with embeddings, of images with exactly one class of several. Beside its out-of-fold
predictions are scored those of a linear probe (logistic regression on the embeddings, its strength chosen by groups
within the training rows) and, with --fit-epochs, of a plain `fit` in tf_keras: the pretrained backbone, average
pooling, a dense layer, random flips, Adam with a rate of 0.001. CPU-seconds and paired differences with 95 % intervals
are printed, for the mean over all classes and for the class of --score.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.evaluation.oof import BLEND, Oof, read_oof
from foldline.evaluation.scores import EvaluationConfig, column_scores
from foldline.io.embeddings import embeddings_of
from foldline.report.images import read_images
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = (0.001, 0.01, 0.1)


def linear_probe(vectors: np.ndarray, true: np.ndarray, groups: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Probabilities of the held-out rows, (n_held_out, n_classes)."""
    inner = list(GroupKFold(3).split(vectors[~held_out], groups=groups[~held_out]))
    probe = LogisticRegressionCV(Cs=STRENGTHS, cv=inner, scoring="neg_log_loss", max_iter=300)
    return (
        make_pipeline(StandardScaler(), probe).fit(vectors[~held_out], true[~held_out]).predict_proba(vectors[held_out])
    )


def plain_fit(images: np.ndarray, labels: np.ndarray, held_out: np.ndarray, epochs: int, backbone: str) -> np.ndarray:
    """Probabilities of the held-out rows, (n_held_out, n_classes)."""
    from foldline.models.backbones import build_backbone
    from foldline.models.heads import build_model
    from foldline.runtime.devices import use_device
    from foldline.runtime.tensorflow import tf, tf_keras

    use_device("cpu", threads=1)
    tf_keras.utils.set_random_seed(1)
    network = build_model(
        build_backbone(backbone, weights="imagenet", image_size=images.shape[1]),
        metadata_width=0,
        n_classes=labels.shape[1],
        metadata_units=[],
        hidden=[],
        dropout=0,
    )
    loss = tf_keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(tf_keras.optimizers.Adam(1e-3), loss)
    rows = tf.data.Dataset.from_tensor_slices((images[~held_out], labels[~held_out].astype(np.float32)))
    rows = rows.shuffle(len(images), seed=1).map(
        lambda image, label: (
            {"image": tf.image.random_flip_left_right(tf.image.random_flip_up_down(image))},
            label,
        )
    )
    network.fit(rows.batch(32, drop_remainder=True).prefetch(2), epochs=epochs, verbose=0)
    return np.asarray(tf.nn.softmax(network.predict({"image": images[held_out]}, batch_size=32, verbose=0)))


def show(oof: Oof, groups: list[str], scored: tuple[str, ...]) -> None:
    config = EvaluationConfig(tuple(oof.class_names), scored, "softmax", 0.5, 0.95, (), False, ())
    found = column_scores(oof, groups=groups, metadata={}, rank_columns=(), config=config)
    print(f"{'mean over all classes' if len(scored) > 1 else scored[0]}, {len(oof.ids)} rows")
    for name, scores in found.columns.items():
        shown = {"AUC": scores.auc, "accuracy": scores.accuracy, "balanced accuracy": scores.balanced_accuracy}
        print(f"  {name:13}", *(f"{metric} {score.value:.4f} " for metric, score in shown.items() if score))
    for row in found.comparisons:
        if row.first == BLEND and row.metric in ("auc", "accuracy"):
            print(f"  this run - {row.second}: {row.metric} {row.value:+.4f} ({row.low:+.4f} to {row.high:+.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--folds", type=int, nargs="*")
    parser.add_argument("--score")
    parser.add_argument("--fit-epochs", type=int, default=0)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    options = parser.parse_args()
    classes = json.loads((options.results / "classes.json").read_text())["classes"]
    oof = read_oof(options.results / "oof.parquet", classes)
    kept = np.isin(oof.folds, options.folds if options.folds is not None else np.unique(oof.folds))
    rows = pd.read_csv(options.results / "folds.csv", dtype={"id": str, "group": str}).set_index("id").loc[oof.ids]
    groups, true = rows["group"].to_numpy(), oof.labels.argmax(axis=1)
    vectors = np.asarray(embeddings_of(options.results / "embeddings" / "train.parquet", oof.ids), np.float32)
    peers = {"linear probe": lambda held_out: linear_probe(vectors, true, groups, held_out)}
    if options.fit_epochs:
        (size,) = (options.results / "shards").iterdir()
        shards = sorted((size / "train").glob("*.tfrec"))
        found = read_images(oof.ids, shards, [path.with_suffix(".json") for path in shards])
        images = np.stack([found[name] for name in oof.ids])
        peers["plain fit"] = lambda held_out: plain_fit(
            images, oof.labels, held_out, options.fit_epochs, options.backbone
        )
    scores = {name: np.zeros((len(oof.ids), len(classes))) for name in peers}
    for name, predict in peers.items():
        for fold in np.unique(oof.folds[kept]):
            start = time.process_time()
            scores[name][oof.folds == fold] = predict(oof.folds == fold)
            print(f"{name}, fold {fold}: {time.process_time() - start:.0f} CPU-s", flush=True)
    of_rows = {name: values[kept] for name, values in {**scores, **oof.scores}.items()}
    table = replace(
        oof,
        ids=[name for name, is_kept in zip(oof.ids, kept, strict=True) if is_kept],
        folds=oof.folds[kept],
        labels=oof.labels[kept],
        scores=of_rows,
    )
    for scored in (tuple(classes), *([(options.score,)] if options.score else [])):
        show(table, list(groups[kept]), scored)


if __name__ == "__main__":
    main()
