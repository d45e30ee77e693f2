"""What the report says of probabilities: whether scores can be read as such, and what to do if not."""

from math import log

from foldline.errors import listing
from foldline.evaluation.calibration import NONE
from foldline.evaluation.oof import BLEND
from foldline.evaluation.results import Score
from foldline.report.run import Run

# Scores can be read as probabilities if their slope is between this and its inverse, and their odds are right on
# average within the same factor.
SLOPE_LIMIT = 1.25
LEVEL_LIMIT = log(SLOPE_LIMIT)
# What a method of calibration cannot mend, and one that can.
NEXT_METHOD = {"temperature": "platt", "platt": "beta", "beta": "isotonic"}
# Classes and methods that a sentence names.
NAMED = 5

Row = dict[str, object]


def calibration_finding(run: Run) -> tuple[bool, str] | None:
    """Judge probabilities by what they add to the share of each class, and by their slope and level.

    Returns whether they can be read as such, and why; None if nothing is known.
    """
    found = run.metrics.models[BLEND].calibration
    skill, slope = found.brier_skill, found.slope
    if skill is None or slope is None or skill.value is None or slope.value is None:
        return None
    level = found.intercept
    share = "the share of each class" if len(run.metrics.classes) > 1 else "the share of positives"
    values = f"Brier skill {skill.value:.3f}{_range(skill)}, slope {slope.value:.2f}{_range(slope)}"
    if level is not None and level.value is not None:
        values += f", intercept {level.value:+.2f}{_range(level)}"
    if skill.value <= 0 or skill.low is None or skill.low <= 0:
        text = f"As probabilities, the scores are not shown to be better than {share} alone ({values})"
        return False, f"{text}. {_remedy(run, 'They may still rank images')}"
    faults = []
    if not 1 / SLOPE_LIMIT <= slope.value <= SLOPE_LIMIT:
        faults.append("too extreme" if slope.value < 1 else "not extreme enough")
    of_classes = _class_faults(run) if len(run.metrics.scored_classes) > 1 else []
    if not of_classes and level is not None and level.value is not None and abs(level.value) > LEVEL_LIMIT:
        faults.append("too low" if level.value > 0 else "too high")
    faults += of_classes
    if faults:
        text = f"As probabilities, the scores are {' and '.join(faults)} ({values})"
        return False, f"{text}. {_remedy(run, 'Use them to rank images')}"
    return True, f"The scores can be read as probabilities, and say more than {share} ({values})."


def _class_faults(run: Run) -> list[str]:
    """Scored classes whose level is wrong by more than the limit, and by more than chance."""
    wrong: dict[str, list[str]] = {"too low": [], "too high": []}
    for row in run.metrics.models[BLEND].classes:
        level = row.calibration.intercept if row.calibration and row.name in run.metrics.scored_classes else None
        if level is None or level.value is None or level.low is None or level.high is None:
            continue
        if abs(level.value) > LEVEL_LIMIT and not level.low <= 0 <= level.high:
            wrong["too low" if level.value > 0 else "too high"].append(row.name)
    return [f"{word} for {listing(names, limit=NAMED)}" for word, names in wrong.items() if names]


def _remedy(run: Run, use: str) -> str:
    """What to do, by what is set already."""
    recipe = run.recipe
    if recipe.uncalibrated and not recipe.is_calibrated:
        return f"{use}; calibration.method is {recipe.calibration_method}, which no class can be calibrated by."
    if run.metrics.folds < 2:
        return f"{use}; with one fold they cannot be calibrated."
    if not recipe.is_calibrated:
        return f"{use}, or set calibration.method to platt."
    method = recipe.calibration.method
    if method in NEXT_METHOD:
        return f"{use}. They are calibrated already (calibration.method is {method}); {NEXT_METHOD[method]} fits more."
    return f"{use}. They are calibrated already, by the most flexible method (calibration.method is {method})."


def calibration_rows(run: Run, column: str) -> list[Row]:
    """Calibration of a score column, of a calibrated blend also before it; none where it is not defined."""
    scores, before = run.metrics.models[column].calibration, run.metrics.before_calibration
    if scores.slope is None:
        return []
    if column != BLEND or before is None:
        return [{"name": "out of fold", "scores": scores}]
    return [
        {"name": "before", "scores": before},
        {"name": f"after ({run.recipe.calibration.method})", "scores": scores},
    ]


def class_calibration_rows(run: Run) -> list[Row]:
    """Calibration of the blend for each class against all others; none for a single class and for ranks."""
    classes = run.metrics.models[BLEND].classes
    if len(run.metrics.classes) < 2:
        return []
    return [{"name": row.name, "scores": row.calibration} for row in classes if row.calibration is not None]


def calibration_method(run: Run) -> str:
    """How the blend is calibrated, and which classes are not; empty if nothing is set."""
    recipe = run.recipe
    method = recipe.calibration_method if recipe.calibration_method != NONE else recipe.calibration.method
    if method == NONE:
        return ""
    exceptions = [f"{name} ({reason})" for name, reason in recipe.uncalibrated.items()]
    shown = listing(exceptions, limit=NAMED)
    if not recipe.is_calibrated:
        return f"calibration.method is {method}, but scores are left as they are: {shown}."
    text = (
        f"The blend is calibrated ({method}): for the rows of each fold, the map is fitted on the other folds, for "
        "test rows on all of them. Models are shown as they are."
    )
    if not run.metrics.one_class_per_image:
        text += " Each map rises, so it keeps the order of the images that it is applied to."
    return f"{text} Left as they are: {shown}." if exceptions else text


def _range(score: Score) -> str:
    return "" if score.low is None or score.high is None else f" [{score.low:.2f} to {score.high:.2f}]"
