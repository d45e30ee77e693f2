"""What happens to pairs of duplicates: their groups are merged, all but one of them are dropped, or they stay.

Standard library only, because the process that builds the DAG imports it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foldline.splits.connected_groups import join_groups

# Kinds of pairs. Those that the user confirmed are grouped, whatever the policy.
EXACT, NEAR, CONFIRMED = "exact", "near", "confirmed"
GROUP, ERROR, REPORT, DROP = "group", "error", "report", "drop"
# Splits of a policy, which knows all external sets as one.
TRAIN, EXTERNAL, TEST = "train", "external", "test"
# Kind -> `TRAIN`, `EXTERNAL` or `TEST`, the later split of the two images -> what happens.
Policy = Mapping[str, Mapping[str, str]]
GROUP_ALL: Policy = {kind: {TRAIN: GROUP, EXTERNAL: GROUP, TEST: REPORT} for kind in (EXACT, NEAR)}


@dataclass(frozen=True)
class Pair:
    """Two images that show the same.

    Attributes:
        id: id of the image in the later split of train, external sets, test.
        other_id: id of the other image.
        kind: one of the kinds.
        split: `TRAIN`, `EXTERNAL` or `TEST`, the split of the first image.
    """

    id: str
    other_id: str
    kind: str
    split: str


@dataclass(frozen=True)
class Dropped:
    """A row that is left out.

    Attributes:
        id: its id.
        kept_id: id of the copy that stays.
        kept_split: `TRAIN`, `EXTERNAL` or `TEST`, the split of the copy that stays.
        kind: how they are copies, `EXACT` or `NEAR`.
    """

    id: str
    kept_id: str
    kept_split: str
    kind: str

    @property
    def reason(self) -> str:
        """Why the row is left out, in words."""
        split = "training" if self.kept_split == TRAIN else self.kept_split
        return f"dropped as {self.kind} copy of {'an' if self.kept_split == EXTERNAL else 'a'} {split} image"


@dataclass(frozen=True)
class Treatment:
    """What a policy makes of pairs.

    Attributes:
        links: pairs of ids, both of rows that stay, whose groups are merged.
        dropped: rows that are left out, sorted by id.
    """

    links: Sequence[tuple[str, str]]
    dropped: Sequence[Dropped]


def action_of(policy: Policy, pair: Pair) -> str:
    """What happens to a pair; pairs with a test image merge no groups."""
    if pair.kind == CONFIRMED:
        return REPORT if pair.split == TEST else GROUP
    return policy[pair.kind][pair.split]


def treat(pairs: Iterable[Pair], labels: Mapping[str, str], train_ids: Iterable[str], policy: Policy) -> Treatment:
    """Apply a policy to the pairs of train, external and test images.

    Of images that are connected by pairs to drop, one stays: a train row rather than an external one, then one with the
    label that most of them have, then that with the first id. None of them stays if one is a copy of a test image, and
    that is to be dropped. A link to a dropped row becomes one to its copy that stays.

    Args:
        pairs: the pairs, none of two test images; of equal images, one may stand for all in other pairs.
        labels: label code of each train and external row, by its id.
        train_ids: ids of the train rows.
        policy: what happens to the pairs.
    """
    listed, own = list(pairs), set(train_ids)
    inside = [pair for pair in listed if pair.split != TEST]
    equal = join_groups(labels, [(pair.id, pair.other_id) for pair in inside if pair.kind == EXACT])
    joined = join_groups(labels, [(pair.id, pair.other_id) for pair in inside if action_of(policy, pair) == DROP])
    dropped = _copies_of_test([pair for pair in listed if pair.split == TEST], equal, policy)
    members: dict[str, list[str]] = {}
    for name, root in joined.items():
        if name not in dropped:
            members.setdefault(root, []).append(name)
    for names in members.values():
        if len(names) == 1:
            continue
        counts = Counter(labels[name] for name in names)
        kept = min(names, key=lambda name: (name not in own, -counts[labels[name]], name))
        for name in names:
            if name != kept:
                kind = EXACT if equal[name] == equal[kept] else NEAR
                dropped[name] = Dropped(name, kept, TRAIN if kept in own else EXTERNAL, kind)
    staying = {name: name for name in labels} | {
        name: None if row.kept_split == TEST else row.kept_id for name, row in dropped.items()
    }
    links = [
        (first, second)
        for pair in inside
        if action_of(policy, pair) == GROUP and (first := staying[pair.id]) and (second := staying[pair.other_id])
    ]
    return Treatment(links, [dropped[name] for name in sorted(dropped)])


def _copies_of_test(pairs: Sequence[Pair], equal: Mapping[str, str], policy: Policy) -> dict[str, Dropped]:
    """Rows to drop as copies of test images, with all that are equal to them.

    Args:
        pairs: pairs of a test image and a train or external one.
        equal: train and external rows; equal ones have one value.
        policy: what happens to the pairs.
    """
    found: dict[str, Dropped] = {}
    copies: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.kind != EXACT, pair.id)):
        if action_of(policy, pair) == DROP:
            copies.setdefault(equal[pair.other_id], pair)
    for name, root in equal.items():
        if root in copies:
            found[name] = Dropped(name, copies[root].id, TEST, copies[root].kind)
    return found
