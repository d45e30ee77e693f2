"""Result files are laid out by model and fold."""

import pytest
from foldline.errors import FoldlineError
from foldline.io.result_paths import fold_of, model_and_fold


def test_paths_name_model_and_fold() -> None:
    assert model_and_fold("results/models/b3-384/fold12/history.csv") == ("b3-384", 12)
    assert fold_of("results/class_weights/fold3.json") == 3
    with pytest.raises(FoldlineError, match="'part3' is not the name of a fold; it must look like fold3"):
        fold_of("part3.json")
