"""Faults of a configuration file that Snakemake does not report, or reports without saying where."""

from pathlib import Path

import pytest
from foldline.errors import FoldlineError
from foldline.planning.config_files import argument_problems, check_file, file_problems

GOOD = """
base: &base {count: 5, seed: 1}
folds:
  <<: *base
  count: 3
models:
  a: {image_size: 32, hidden: [{units: 8}, {units: 8}]}
  b: {image_size: 32, version: "010", zero: 0, float: 010.5, small: 007}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "skin.yaml"


@pytest.mark.parametrize("text", [GOOD, '{"a": {"b": 1}, "c": {"b": 2}}', '{\n\t"a": 1\n}', "\ufeffa: 1\n"])
def test_a_file_without_faults_is_allowed(text: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    check_file(file)
    assert file_problems(file) == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("folds: {}\nmodels: {}\nfolds: {}\n", 3, "key folds occurs twice, first in line 1; remove one, or rename it"),
        ("models:\n  a: {}\n  b: {}\n  a: {}\n", 4, "key models.a occurs twice, first in line 2;"),
        ("fold_overrides:\n  3: {}\n  '3': {}\n", 3, "key fold_overrides.3 occurs twice, first in line 2;"),
        ("hidden:\n- {units: 1}\n- {units: 2, units: 3}\n", 3, "key hidden[1].units occurs twice; remove"),
        ("folds: {count: 010}\n", 1, "folds.count: YAML reads 010 as 8 (base 8); write 10, or quote it"),
        ("size: [32, 1_0, 0_20]\n", 1, "size[2]: YAML reads 0_20 as 16 (base 8)"),
        ("time: 1:30\n", 1, "time: YAML reads 1:30 as 90 (base 60); quote it"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 1, "key b.c occurs twice; remove"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, line: int, message: str, file: Path) -> None:
    file.write_text(text)
    (problem,) = file_problems(file)
    assert problem.startswith(f"{file}, line {line}: {message}")


def test_json_that_is_no_yaml_is_looked_through_too(file: Path) -> None:
    file.write_text('{\n\t"folds": {"count": 1, "count": 2}\n}')
    check_file(file)
    assert file_problems(file) == [f"{file}: key count occurs twice in one mapping; remove one of them"]


def test_only_the_section_of_the_module_is_looked_at(file: Path) -> None:
    file.write_text("a: {b: 1, b: 2}\nskin: {c: 1, c: 2}\n")
    assert file_problems(file, section="skin") == [f"{file}, line 2: key skin.c occurs twice; remove one, or rename it"]
    assert len(file_problems(file)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folds={count: 3}", "folds={seed: 1}"], "folds is given twice; write all of its values into one argument:"),
        (["folds={count: 3, count: 4}"], "key folds.count occurs twice; remove one, or rename it"),
        (["models={a: {epochs: 010}}"], "models.a.epochs: YAML reads 010 as 8 (base 8); write 10, or quote it"),
    ],
)
def test_the_command_line_has_the_same_faults(arguments: list[str], message: str) -> None:
    (problem,) = argument_problems(arguments)
    assert problem.startswith(f"--config: {message}")
    assert argument_problems(arguments, section="skin") == []


def test_a_command_line_without_faults_is_allowed() -> None:
    arguments = ["preset=[records, seed]", "dataset={root: /data, group_column: null}", "epochs=010", "a={b: [", "x"]
    assert argument_problems(arguments) == []


def test_a_value_that_contains_itself_is_refused(file: Path) -> None:
    file.write_text("a: 1\nmodels: &all\n  b: *all\n")
    with pytest.raises(FoldlineError, match=r"skin\.yaml, line 2: models\.b contains itself; write the values out"):
        file_problems(file)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", ": the configuration file is empty; see"),
        (b"\n  \n", ": the configuration file is empty; see"),
        (b"# nothing\n", ": a configuration is a mapping of keys to values, such as {folds: {count: 5}}"),
        (b"- a\n", ": a configuration is a mapping"),
        (b"a: 1\nb: \xe9\n", ", line 2: the configuration file is not text in UTF-8; save it in this encoding"),
        ("a: 1\n".encode("utf-16"), ", line 1: the configuration file is not text in UTF-8"),
        (b"a: 1\nb: \0\n", ", line 2: the configuration file contains a NUL byte; remove it"),
        (b"a: 1\nb: [1\nc: 2\n", ", line 3: not YAML ("),
        (
            b"dataset:\n  root: /data\n  train_images: {folder}/{id}.jpg  # all\n  x: 1\n",
            ", line 3: not YAML (expected <block end>, but found '<scalar>'); quote a path that starts with { (line "
            '3): train_images: "{folder}/{id}.jpg"',
        ),
        (b"a: 1\n\tb: 2\n", ", line 2: not YAML ("),
        (b"a: \x01\n", ": not YAML (special characters are not allowed)"),
        (None, ": no such configuration file; name one with --configfile"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(data: bytes | None, message: str, file: Path) -> None:
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(FoldlineError) as caught:
        check_file(file)
    assert str(caught.value).startswith(f"{file}{message}")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"cannot be read: a folder, not a file$"):
        check_file(tmp_path)
