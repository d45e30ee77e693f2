"""What ids say of groups: the part of them that several have, such as the patient in `patient12_img3`."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

# What people call a group, in the names of columns and in ids.
WORDS = (
    *("patient", "patients", "pat", "pts", "ptid", "patid", "pid", "mrn", "subject", "subj", "lesion", "case", "slide"),
    *("wsi", "study", "series", "specimen", "donor", "animal", "mouse", "rat", "person", "individual", "participant"),
    *("volunteer", "biopsy", "plate", "well", "accession", "encounter", "admission", "video", "movie", "embryo"),
    *("organoid", "wound", "nodule", "polyp"),
)
# Words by which a column is something of a group, such as the age of a patient, and not its name.
ATTRIBUTES = (
    *("age", "sex", "gender", "weight", "height", "size", "diameter", "area", "thickness", "depth", "length", "width"),
    *("type", "kind", "class", "label", "category", "grade", "stage", "score", "status", "state", "diagnosis", "site"),
    *("location", "localization", "position", "orientation", "side", "laterality", "view", "region", "country", "year"),
    *("month", "date", "day", "time", "hour", "description", "desc", "comment", "stain", "strain", "species", "color"),
    *("count", "quality", "modality", "device", "scanner", "manufacturer", "race", "ethnicity", "bmi", "outcome"),
    *("control", "differentiated", "history", "smoker", "risk", "has", "is", "n", "num", "per", "index", "order"),
)
# Words that say so only in ids, before a number.
ID_WORDS = (*WORDS, "sub", "pt", "volume", "vol", "vid", "scan", "sequence", "seq")
# Letters that stand for a patient or subject at the start of an id, before a number.
LETTERS = "ps"
# Parts of what was examined: what comes before them in an id is the whole.
PARTS = (
    *("slice", "frame", "image", "img", "view", "crop", "tile", "patch", "page", "roi", "fov", "field", "photo", "pic"),
    *("section", "slc", "im", "visit", "session", "ses", "exam", "node"),
)
# Views of one thing, which ids name without a number.
VIEWS = ("left", "right", "l", "r", "od", "os", "cc", "mlo", "pa", "ap", "lat", "lateral", "frontal", "front", "back")
SEPARATORS = re.compile(r"[_\-./ ]+")
_WORD_IN_ID = re.compile(
    rf"(?<![a-z])(?:{'|'.join(ID_WORDS)})(?:id|no|nr)?(?:\d+|[_\-./ ]+[a-z]{{0,3}}\d+)", re.IGNORECASE
)
_LETTER_IN_ID = re.compile(rf"^[{LETTERS}][_\-]?\d+(?=[^0-9])", re.IGNORECASE)
_PART = re.compile(rf"(?:(?<![a-z])|(?<=[a-z0-9])(?=[A-Z]))(?i:{'|'.join(PARTS)})[_\-./ ]*\d+", re.ASCII)
_VIEW = re.compile(rf"(?:(?<![a-z0-9])|(?<=\d))(?:{'|'.join(VIEWS)})(?![a-z0-9])", re.IGNORECASE)
# A year, maybe with month, day and time: images of one day need not show one thing.
_DATE = re.compile(r"(?:19|20)\d\d(?: ?(?:0[1-9]|1[0-2])(?: ?(?:0[1-9]|[12]\d|3[01])(?: ?\d\d){0,3})?)?")
# Fewer groups are more likely classes, sites or years, unless a word says otherwise; a letter says less.
FEWEST_GROUPS, FEWEST_LETTERED_GROUPS, FEWEST_NAMED_GROUPS = 10, 3, 2
# Rows per group: with fewer on average, most groups have one row.
FEWEST_ROWS = 1.5
# Share of the ids that have the part.
LEAST_SHARE = 0.9
# Starts of ids that are tried, in words.
MOST_WORDS = 6
# Of more ids, blocks of those that are near in alphabetical order are tried first.
TRIED, BLOCKS = 20_000, 20

# Suffixes that are written without a separator, as in patientid.
_NAMED = re.compile(f"(?:{'|'.join(WORDS)})(?:s|id|ids|uid|no|nr|num|number|name|code|key|instanceuid)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Part = Callable[[str], str]


def names_groups(column: str) -> bool:
    """Whether the name of a column says that it has groups, such as patient_id, PatientID or hospital_mrn."""
    words = [word.lower() for word in SEPARATORS.split(_CAMEL.sub(" ", column))]
    return any(map(_NAMED.fullmatch, words)) and not any(word in ATTRIBUTES for word in words)


def parts_of_groups(ids: Sequence[str], labels: Collection[str]) -> list[str]:
    """The part of each id that seems to name a group, "" for none, (n_rows,); an empty list if nothing seems to.

    Args:
        ids: (n_rows,).
        labels: the different labels: there are more groups than these, or a part is likely the class.
    """
    tried = _blocks(ids)
    for fewest, part in _candidates():
        if _are_groups([part(name) for name in tried], fewest, len(labels)):
            found = [part(name) for name in ids]
            if _are_groups(found, fewest, len(labels)):
                return found
    return []


def repeats(values: Sequence[str], fewest: int) -> bool:
    """Whether most values are in several rows, and there are enough of them to be groups; "" is none."""
    rows = Counter(value for value in values if value)
    return len(rows) >= fewest and sum(rows.values()) >= FEWEST_ROWS * len(rows)


def _are_groups(parts: Sequence[str], fewest: int, n_labels: int) -> bool:
    n_with = sum(part != "" for part in parts)
    return n_with >= LEAST_SHARE * len(parts) and len(set(parts) - {""}) > n_labels and repeats(parts, fewest)


def _candidates() -> Iterator[tuple[int, Part]]:
    """Least number of groups, and the part of an id that may name its group, the surest first."""
    yield FEWEST_NAMED_GROUPS, _named
    yield FEWEST_LETTERED_GROUPS, _lettered
    for words in range(1, MOST_WORDS):
        yield FEWEST_GROUPS, partial(_start, words=words)
    yield FEWEST_GROUPS, partial(_start, words=-1)
    yield FEWEST_GROUPS, _before_part
    yield FEWEST_GROUPS, _without_view


def _named(name: str) -> str:
    """The first word for a group and its number, with what comes before: numbers may start again in each folder."""
    found = _WORD_IN_ID.search(name)
    if found is None:
        return ""
    folder = name[: name.rfind("/", 0, found.start()) + 1]
    return folder + SEPARATORS.sub(" ", found.group()).lower()


def _lettered(name: str) -> str:
    found = _LETTER_IN_ID.match(name)
    return found.group().lower() if found else ""


def _start(name: str, *, words: int) -> str:
    """The first words, if more follow and they are no date."""
    tokens = SEPARATORS.split(name)
    start = tokens[:words]
    if not start or len(tokens) <= len(start):
        return ""
    numbers = " ".join(token for token in start if token.isdigit())
    return "" if numbers and _DATE.fullmatch(numbers) else " ".join(start)


def _before_part(name: str) -> str:
    """What comes before the last part with a number, such as a slice, if it has a number too."""
    starts = [found.start() for found in _PART.finditer(name)]
    before = SEPARATORS.sub(" ", name[: starts[-1]]).strip() if starts else ""
    return before if any(map(str.isdigit, before)) else ""


def _without_view(name: str) -> str:
    """What is left without the words for a view, if there are any, and a number is left."""
    left, count = _VIEW.subn(" ", name)
    left = " ".join(SEPARATORS.sub(" ", left).split())
    return left if count and any(map(str.isdigit, left)) else ""


def _blocks(ids: Sequence[str]) -> Sequence[str]:
    if len(ids) <= TRIED:
        return ids
    ordered, size = sorted(ids), TRIED // BLOCKS
    starts = [block * (len(ids) - size) // (BLOCKS - 1) for block in range(BLOCKS)]
    return [name for start in starts for name in ordered[start : start + size]]
