"""Which settings of `dataset.submission` fit the columns that a sample submission has, for the error that names it."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from foldline.dataset.class_words import AUTO
from foldline.dataset.submission import LABELS
from foldline.errors import listing
from foldline.planning.dataset_section import class_names_of, scored_classes_of
from foldline.planning.submission_section import submission_columns, submission_id_column

# A text that is the same in YAML without quotes.
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
DEFAULTS: dict[str, Any] = {
    "form": "columns",
    "hard_labels": False,
    "class": None,
    "column": None,
    "columns": {},
    "separator": None,
    "words": AUTO,
    "first_number": AUTO,
}
WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


def fitting_settings(dataset: Mapping[str, Any], header: Sequence[str]) -> str:
    """What to set so that the submission has the columns of the sample submission.

    Args:
        dataset: the section of the configuration.
        header: columns of the sample submission, which lacks columns of the submission.
    """
    renamed, rest = _id_column(dataset, header)
    found = []
    for change, meaning in _changes(dataset, rest):
        changed = _changed(dataset, change, renamed)
        names = [submission_id_column(changed), *submission_columns(changed)]
        if set(names) <= set(header) and len(set(names)) == len(names):
            found.append(f"{_flow(_written(changed['submission']))}{meaning}")
    if found:
        return f"set dataset.submission to {', or to '.join(found)}"
    if renamed:
        return f"set dataset.submission.columns to {_flow(renamed)}, and the columns of the predictions likewise"
    return (
        "name the columns of the predictions with dataset.submission.columns, such as "
        f"{_flow({submission_columns(dataset)[0]: (rest or ['...'])[0]})}, or choose classes with "
        "dataset.submission.class"
    )


def _id_column(dataset: Mapping[str, Any], header: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Name of the id column in the sample submission, if it has another one there, and the other columns."""
    wanted = submission_id_column(dataset)
    if wanted in header:
        return {}, [name for name in header if name != wanted]
    free = [name for name in header if name and name not in submission_columns(dataset)]
    close = next(iter(_pairs([wanted], free).values()), None)
    # The first column of nearly all sample submissions has the ids.
    name = close or next(iter(free), None)
    return ({dataset["id_column"]: name} if name else {}), [other for other in header if other != name]


def _changes(dataset: Mapping[str, Any], rest: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    """Changes of the section `submission` that may fit the columns beside the id column, and when each is right."""
    columns, classes = submission_columns(dataset), class_names_of(dataset)
    if set(columns) <= set(rest):
        return [({}, "")]
    if len(scored_classes_of(dataset)) == 1 or dataset["row_per_class"] or dataset["submission"]["form"] == LABELS:
        close = _pairs(columns, rest).values()
        names = list(close) or list(rest)
        every = [({"form": "columns", "class": None, "column": None}, "")] if set(classes) <= set(rest) else []
        return every or [({"column": name}, " if it has the predictions" * (len(names) > 1)) for name in names]
    names = dataset["submission"]["columns"]
    present = [name for name in scored_classes_of(dataset) if names.get(name, name) in rest]
    others = [name for name in rest if name not in columns]
    if not present and len(rest) == 1:
        return _one_column(dataset, rest[0])
    pairs = _pairs([name for name in scored_classes_of(dataset) if name not in present], others)
    left = [name for name in classes if name not in (*present, *pairs)]
    others = [name for name in others if name not in pairs.values()]
    if len(left) == len(others) == 1:
        return [({"columns": {**names, **pairs, left[0]: others[0]}}, f" if {others[0]} is {left[0]}")]
    chosen = [name for name in classes if name in (*present, *pairs)]
    if left and len(chosen) == 1:
        (name,) = chosen
        return [({"class": name, "column": pairs.get(name, names.get(name, name))}, "")]
    return [({"columns": {**names, **pairs}, **({"class": chosen} if left else {})}, "")] if chosen else []


def _one_column(dataset: Mapping[str, Any], column: str) -> list[tuple[dict[str, Any], str]]:
    """Changes for a submission with one column of predictions, where it has one for each class."""
    name = {} if column == dataset["target_column"] else {"column": column}
    words = {"form": LABELS, "class": None, **name}
    classes = class_names_of(dataset)
    if len(classes) > 2:
        return [(words, "")]
    one = {"class": classes[-1], **name}
    return [(one, f" for the probability of {classes[-1]}"), (words, " for the predicted class")]


def _pairs(names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """The columns that are meant by names: in other case, with words before or after it, or with a slip."""
    pairs: dict[str, str] = {}
    for alike in (_same_case, _with_words, _close):
        for name in names:
            found = [column for column in columns if column not in pairs.values() and alike(name, column)]
            if name not in pairs and len(found) == 1:
                pairs[name] = found[0]
    return {name: pairs[name] for name in names if name in pairs}


def _same_case(name: str, column: str) -> bool:
    return name.casefold() == column.casefold()


def _with_words(name: str, column: str) -> bool:
    return re.search(rf"(^|[\W_]){re.escape(name.casefold())}($|[\W_])", column.casefold()) is not None


def _close(name: str, column: str) -> bool:
    return bool(difflib.get_close_matches(name.casefold(), [column.casefold()], cutoff=0.75))


def _changed(dataset: Mapping[str, Any], change: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    section = {**dataset["submission"], **change}
    return {**dataset, "submission": {**section, "columns": {**renamed, **section["columns"], **renamed}}}


def _written(section: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the section that have other values than their defaults, or its form."""
    skipped = "hard_labels" if section["form"] == LABELS else ""
    written = {key: section[key] for key, default in DEFAULTS.items() if section[key] != default and key != skipped}
    return written or {"form": section["form"]}


def _flow(value: Any) -> str:
    """A value in YAML on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(name)}: {_flow(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{listing([_flow(item) for item in value], limit=30)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = PLAIN.fullmatch(value) and value.lower() not in WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)
