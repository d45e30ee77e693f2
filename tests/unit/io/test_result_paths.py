"""Result files are laid out by model and member."""

import pytest
from foldline.errors import FoldlineError
from foldline.io.result_paths import FINAL, Member, fold_table, member_of, members_of, model_and_member


def test_paths_name_model_and_member() -> None:
    assert model_and_member("results/models/b3-384/fold12/history.csv") == ("b3-384", Member(1, 12))
    assert member_of("results/class_weights/fold3.json") == Member(1, 3)
    with pytest.raises(FoldlineError, match="'part3' is not the name of a fold; it must look like fold3"):
        member_of("part3.json")


@pytest.mark.parametrize("member", [Member(1, 0), Member(1, 12), Member(2, 0), Member(10, 3)])
def test_a_name_gives_its_member(member: Member) -> None:
    assert member_of(f"a/{member.name}.json") == member == Member.parse(str(member))


@pytest.mark.parametrize(
    "label", ["", "a", "03", "1-repeat1", "1-repeat0", "1-repeat02", "1-repeat", "1-repeat2-repeat3"]
)
def test_each_member_has_one_label(label: str) -> None:
    with pytest.raises(ValueError):
        Member.parse(label)


def test_members_of_repeats_differ_in_names_and_seeds_and_come_in_order() -> None:
    found = members_of([1, 0], 3)
    assert [member.name for member in found] == [
        *("fold0", "fold1", "fold0-repeat2", "fold1-repeat2", "fold0-repeat3", "fold1-repeat3")
    ]
    assert sorted(found) == found
    every = members_of(range(100), 100)
    assert len({member.seed for member in every}) == len(every)
    assert [member.seed for member in members_of([0, 5])] == [0, 5]


def test_the_final_member_holds_out_nothing() -> None:
    assert model_and_member("results/models/b3/final/history.csv") == ("b3", FINAL)
    assert (FINAL.name, str(FINAL), FINAL.held_out, FINAL.as_json()) == ("final", "final", None, {"fold": None})
    assert Member.parse("final") == FINAL
    assert FINAL.seed not in {member.seed for member in members_of(range(100), 100)}
    with pytest.raises(FoldlineError, match="'foldfinal' is not the name of a fold"):
        member_of("foldfinal.json")


def test_the_first_repeat_has_the_folds_of_a_run_without_repeats() -> None:
    assert (fold_table(1), fold_table(2)) == ("results/folds.csv", "results/folds-repeat2.csv")
    assert fold_table(FINAL.repeat) == fold_table(1)
