"""A batch that no fold can fill is named; one that a fold may fill is not."""

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.planning.batch_checks import batch_warnings
from foldline.planning.configuration import complete


def check(rows: dict[str, int], *, folds: int = 5, column: str | None = None, **model: object) -> list[str]:
    section = {"backbone": "efficientnet-lite0", "image_size": 64, "weights": "none", **model}
    config = complete(example_config(models={"m": section}, folds__count=folds, folds__column=column), SCHEMA)
    return batch_warnings(config, rows)


@pytest.mark.parametrize(
    ("rows", "batch_size", "most"),
    [({"train": 20}, 17, 16), ({"train": 21}, 17, 16), ({"train": 20, "external": 3}, 20, 19)],
)
def test_a_batch_above_the_training_rows_of_the_largest_fold(rows: dict[str, int], batch_size: int, most: int) -> None:
    assert check(rows, batch_size=batch_size) == [
        f"models.m.batch_size is {batch_size}, but a fold has at most {most} training rows: a step trains on all rows "
        "of the fold; with a smaller number, an epoch has more steps"
    ]
    assert check(rows, batch_size=most) == []


def named(lines: list[str]) -> list[str]:
    return [line.split(":")[0] for line in lines]


def test_the_batch_of_an_override() -> None:
    assert named(check({"train": 20}, batch_size=8, fold_overrides={"1": {"batch_size": 30}})) == [
        "models.m.fold_overrides.1.batch_size is 30, but a fold has at most 19 training rows"
    ]
    # The largest fold may be the one of the override.
    assert check({"train": 20}, batch_size=19, fold_overrides={"1": {"batch_size": 8}}) == []
    assert named(check({"train": 20}, batch_size=20, fold_overrides={"1": {"batch_size": 8}})) == [
        "models.m.batch_size is 20, but a fold has at most 19 training rows"
    ]
    # No fold uses the size of the model.
    overrides = {str(fold): {"batch_size": 8} for fold in range(2)}
    assert check({"train": 20}, folds=2, batch_size=99, fold_overrides=overrides) == []


def test_folds_that_the_data_decide_hold_out_a_row() -> None:
    assert check({"train": 20}, column="site", batch_size=19) == []
    assert named(check({"train": 20}, column="site", batch_size=20)) == [
        "models.m.batch_size is 20, but a fold has at most 19 training rows"
    ]
