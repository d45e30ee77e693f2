"""What the report says of labels that the predictions contradict."""

from foldline.errors import counted, listing
from foldline.report.run import Run


def label_issue_sentence(run: Run) -> str:
    """Where labels that the predictions contradict are listed, and of which classes none are; empty without any."""
    metrics, left_out = run.metrics, run.metrics.label_issues_left_out
    text = ""
    if metrics.label_issues:
        text = (
            f"The predictions contradict the {'label' if metrics.label_issues == 1 else 'labels'} of "
            f"{counted(metrics.label_issues, 'image')}: results/label_issues.csv lists them, the least "
            "probable labels first."
        )
    if left_out and len(metrics.classes) == 1:
        (reason,) = left_out.values()
        text = f"No label is questioned, because the predictions are not shown to be better than chance: {reason}."
    elif left_out:
        text += (
            " No label is questioned in favor of a class that the predictions are not shown to tell from others: "
            f"{listing([f'{name} ({reason})' for name, reason in left_out.items()], limit=5)}."
        )
    return text.strip()
