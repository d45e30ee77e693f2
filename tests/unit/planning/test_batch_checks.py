"""A batch that no fold can fill is refused; one that a fold may fill is not."""

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.errors import FoldlineError
from foldline.planning.batch_checks import check_batches
from foldline.planning.configuration import complete


def check(rows: dict[str, int], *, folds: int = 5, column: str | None = None, **model: object) -> None:
    section = {"backbone": "efficientnet-lite0", "image_size": 64, "weights": "none", **model}
    config = complete(example_config(models={"m": section}, folds__count=folds, folds__column=column), SCHEMA)
    check_batches(config, rows)


@pytest.mark.parametrize(
    ("rows", "batch_size", "most"),
    [({"train": 20}, 17, 16), ({"train": 21}, 17, 16), ({"train": 20, "external": 3}, 20, 19)],
)
def test_a_batch_above_the_training_rows_of_the_largest_fold(rows: dict[str, int], batch_size: int, most: int) -> None:
    with pytest.raises(FoldlineError) as caught:
        check(rows, batch_size=batch_size)
    assert str(caught.value) == (
        f"config: models.m.batch_size is {batch_size}, but a fold has at most {most} training rows; set it to that "
        "number or less"
    )
    check(rows, batch_size=most)


def test_the_batch_of_an_override() -> None:
    overrides = {"1": {"batch_size": 30}}
    with pytest.raises(FoldlineError, match=r"fold_overrides\.1\.batch_size is 30, but a fold has at most 19"):
        check({"train": 20}, batch_size=8, fold_overrides=overrides)
    # The largest fold may be the one of the override.
    check({"train": 20}, batch_size=19, fold_overrides={"1": {"batch_size": 8}})
    with pytest.raises(FoldlineError, match=r"models\.m\.batch_size is 20"):
        check({"train": 20}, batch_size=20, fold_overrides={"1": {"batch_size": 8}})
    # No fold uses the size of the model.
    check({"train": 20}, folds=2, batch_size=99, fold_overrides={str(fold): {"batch_size": 8} for fold in range(2)})


def test_folds_that_the_data_decide_hold_out_a_row() -> None:
    check({"train": 20}, column="site", batch_size=19)
    with pytest.raises(FoldlineError, match="batch_size is 20, but a fold has at most 19"):
        check({"train": 20}, column="site", batch_size=20)
