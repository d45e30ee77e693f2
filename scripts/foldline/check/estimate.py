"""Time and disk of a run, scaled up from what a few rows took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldline.errors import counted
from foldline.training.speed import Speed


@dataclass(frozen=True)
class FoldRows:
    """Rows of one fold: those to train on, and those that are held out."""

    training: int
    held_out: int


@dataclass(frozen=True)
class Work:
    """What a model has to do.

    Attributes:
        folds: the folds that are trained with these settings, with the rows of an epoch; the final network is one
            without held-out rows.
        epochs: passes over the training rows.
        batch_size: rows of a step.
        test_rows: rows of the test split.
        predicting: number of networks that predict them.
        views: views of each held-out image.
        test_views: views of each test image, of all networks together.
        area: mean area of the training images, as a share of those of the shards; the time of a step goes by it.
    """

    folds: Sequence[FoldRows]
    epochs: int
    batch_size: int
    test_rows: int
    predicting: int
    views: int
    test_views: int
    area: float = 1.0

    def steps(self, fold: FoldRows) -> int:
        """Steps of the training of a fold."""
        return self.epochs * fold.training // min(self.batch_size, fold.training)


@dataclass(frozen=True)
class Cost:
    """Time in seconds and disk in bytes of a part of the run.

    Attributes:
        name: the part, such as "train b3".
        how: how it was scaled up, for the reader.
        seconds: if its jobs run one after the other; 0 if it takes no time of its own.
        bytes: files that stay, or are there at a time; 0 if there are none.
    """

    name: str
    how: str
    seconds: float = 0.0
    bytes: float = 0.0


def image_costs(
    rows: Mapping[str, int], scan: Mapping[str, float], shard: Mapping[str, tuple[float, float]]
) -> list[Cost]:
    """Costs of reading all images and of writing all shards.

    Args:
        rows: rows of each split.
        scan: seconds to read a row of each split.
        shard: seconds and bytes of a record, by image size and split: "224/test".
    """
    costs = [
        Cost(
            "read images",
            " + ".join(f"{counted(rows[split], f'{split} row')} x {seconds_text(scan[split])}" for split in rows),
            sum(rows[split] * scan[split] for split in rows),
        )
    ]
    for size in sorted({key.partition("/")[0] for key in shard}, key=int):
        keys = {split: shard[f"{size}/{split}"] for split in rows}
        how = [
            f"{counted(rows[split], f'{split} row')} x {seconds_text(one)} and {bytes_text(size_of_one)}"
            for split, (one, size_of_one) in keys.items()
        ]
        costs.append(
            Cost(
                f"shards of {size} pixels",
                " + ".join(how),
                sum(rows[split] * keys[split][0] for split in rows),
                sum(rows[split] * keys[split][1] for split in rows),
            )
        )
    return costs


def model_costs(name: str, speed: Speed, work: Work, *, overlapping: bool) -> list[Cost]:
    """Costs of training and prediction with a model.

    Args:
        name: the model, and the fold if it has settings of its own.
        speed: what was measured.
        work: what it has to do.
        overlapping: whether batches are made while the device computes; on a CPU both share the cores.
    """
    computed = speed.step * work.area
    step = max(computed, speed.batch) if overlapping else computed + speed.batch
    steps = sum(work.steps(fold) for fold in work.folds)
    count = len(work.folds)
    held_out = sum(fold.held_out for fold in work.folds)
    predicted = held_out + work.predicting * work.test_rows
    passes = work.views * held_out + work.test_views * work.test_rows
    if work.test_views == work.views * work.predicting:
        shown = f"{counted(work.views, 'view')} x {counted(predicted, 'row')}"
    else:
        held_out_views = f"{counted(work.views, 'view')} x {counted(held_out, 'held-out row')}"
        shown = f"({held_out_views} + {counted(work.test_views, 'view')} x {counted(work.test_rows, 'test row')})"
    per_step = "the slower of step and batch" if overlapping else "step and batch"
    jobs = sum(fold.held_out > 0 for fold in work.folds) + (work.predicting if work.test_rows else 0)
    return [
        Cost(
            f"train {name}",
            f"{counted(steps, 'step')} x {seconds_text(step)} ({per_step}) + "
            f"{counted(work.epochs, 'epoch')} x {counted(held_out, 'held-out row')} x {seconds_text(speed.predict)} + "
            f"{counted(count, 'start')} x {seconds_text(speed.start)}; weights: {count} x {bytes_text(speed.weights)}",
            steps * step + work.epochs * held_out * speed.predict + count * speed.start,
            count * speed.weights,
        ),
        Cost(
            f"checkpoints of {name}",
            "two generations, while a fold is trained, for each fold that runs at the same time",
            bytes=speed.checkpoints,
        ),
        Cost(
            f"predict with {name}",
            f"{shown} x {seconds_text(speed.predict)} + {counted(jobs, 'start')} x {seconds_text(speed.predict_start)}",
            passes * speed.predict + jobs * speed.predict_start,
            predicted * speed.predictions,
        ),
    ]


def seconds_text(seconds: float) -> str:
    """A time with two digits and its unit: 3.1 ms, 45 s, 12 min, 3.4 h, 2.1 days."""
    for limit, unit, length in ((1.0, "ms", 1e-3), (100.0, "s", 1.0), (6000.0, "min", 60.0), (172_800.0, "h", 3600.0)):
        if seconds < limit:
            return _with_digits(seconds / length, unit)
    return _with_digits(seconds / 86_400.0, "days")


def bytes_text(count: float) -> str:
    """A size with two digits and its unit: 120 bytes, 45 kB, 1.2 GB."""
    for unit, length in (("bytes", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 1000 * length:
            return _with_digits(count / length, unit)
    return _with_digits(count / 1e12, "TB")


def _with_digits(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if value >= 9.95 or not value else f"{value:.1f} {unit}"
