"""What averaging the folds adds for test predictions, beside the out-of-fold score."""

from foldline.errors import counted
from foldline.report.json_inputs import FOLDS, SplitMetrics
from foldline.report.run import Run


def averaging_sentence(run: Run) -> str:
    """Why test predictions may score higher than out-of-fold ones, and by how much where labels are known."""
    if run.recipe.test_models != FOLDS:
        return (
            "New images are predicted by the final network of each model, which was trained on the rows of all folds; "
            "out-of-fold scores are those of networks that were trained on fewer rows."
        )
    networks = len(run.provenances) // len(run.recipe.models)
    held_out = counted(networks // run.metrics.folds, "network")
    text = (
        f"An out-of-fold prediction of a model is that of {held_out}, because the others were trained on the image. A "
        f"prediction of a new image is the mean of all {networks}. Their errors differ, so the mean usually scores "
        "somewhat higher; out-of-fold rows cannot show by how much."
    )
    apart = {"test rows": run.test_metrics, "holdout": run.holdout_metrics}
    share = ", with its share of the views," if run.recipe.test_views == "split" else ""
    shown = [_gain(name, share, scores) for name, scores in apart.items()]
    return " ".join([text, *filter(None, shown)])


def _gain(name: str, share: str, scores: SplitMetrics | None) -> str:
    found = None if scores is None else scores.fold_averaging
    if found is None or found.gain is None or found.single_auc is None or found.networks < 2:
        return ""
    interval = ""
    if found.low is not None and found.high is not None:
        interval = f" (95% interval {found.low:+.4f} to {found.high:+.4f})"
    return (
        f"On the {name}, one network of each model{share} has an AUC of {found.single_auc:.4f} on average, and the "
        f"mean of {found.networks} adds {found.gain:+.4f}{interval}."
    )
