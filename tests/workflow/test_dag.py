"""The jobs and the jobs that each needs are those of the golden file, and those of which the plan makes the keys."""

import re
from pathlib import Path

import pytest
from fixtures.images import write_config
from fixtures.project import Project
from foldline.planning.configuration import complete, read_schema
from foldline.planning.data_index import DataIndex
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import read_raw_data
from foldline.planning.workflow_plan import Job
from yaml import safe_load

# Only made on request, so no run of the default targets has them.
EXPORTS = ("export_model", "export_ensemble")
GOLDEN = Path(__file__).parent / "golden_dag.txt"


def snakemake_edges(project: Project) -> dict[str, set[str]]:
    """For each job the jobs whose outputs it reads, from Snakemake's summary."""
    table = project.snakemake("--detailed-summary").stdout.splitlines()
    start = next(number for number, line in enumerate(table) if line.startswith("output_file\t"))
    header = table[start].split("\t")
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in table[start + 1 :] if "\t" in line]
    made_by: dict[str, str] = {}
    inputs: dict[str, set[str]] = {}
    outputs_of_job: list[str] = []
    for row in rows:  # the rows of a job follow each other, `built` is its last output
        outputs_of_job.append(row["output_file"])
        if row["output_file"].endswith(".built"):
            name = row["output_file"].removeprefix("results/keys/").removesuffix(".built")
            made_by |= dict.fromkeys(outputs_of_job, name)
            inputs[name] = set(row["input-file(s)"].split(","))
            outputs_of_job = []
    return {name: {made_by[path] for path in paths if path in made_by} for name, paths in inputs.items()}


def name_of(job: Job) -> str:
    values = [f"fold{value}" if name == "fold" else value for name, value in job.wildcards.items()]
    return "/".join([job.rule, *values])


@pytest.mark.slow
def test_the_dag_is_the_golden_one(finished_project: Project) -> None:
    edges = snakemake_edges(finished_project)
    lines = [f"{name}: {' '.join(sorted(needs))}".rstrip() for name, needs in sorted(edges.items())]
    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_keys_follow_the_edges_of_the_dag(finished_project: Project, tmp_path: Path) -> None:
    write_config(tmp_path / "config.yaml", root=str(finished_project.folder / "data"))
    schema = read_schema(finished_project.folder / "config" / "config.schema.yaml")
    config = complete(safe_load((tmp_path / "config.yaml").read_text()), schema)
    data = read_raw_data(config["dataset"])
    plan = make_plan(config, DataIndex.from_raw_data(data), pinned=None)
    needs = {name_of(job): set(map(name_of, job.needs)) for job in plan.jobs if job.rule not in EXPORTS}
    edges = snakemake_edges(finished_project)
    extra = {(name, need) for name, found in edges.items() for need in found - needs[name]}
    # Order only (`ancient`): audits and shards wait for the report of all unusable images.
    waiting = {name for name in edges if name.startswith(("shard_records/", "audit_leaks/"))}
    assert extra == {(name, "check_images") for name in waiting}
    assert {name: found - {need for one, need in extra if one == name} for name, found in edges.items()} == needs


@pytest.mark.slow
def test_exports_need_the_jobs_that_their_keys_are_made_of(new_project: Project) -> None:
    targets = ["results/export/a/fold1/saved_model.pb", "results/export/ensemble/saved_model.pb"]
    drawn = new_project.snakemake("--rulegraph", "mermaid-js", *targets).stdout
    names = dict(re.findall(r"(\w+)\[(\w+)\]", drawn))
    edges = {(names[one], names[other]) for one, other in re.findall(r"(\w+) --> (\w+)", drawn)}
    assert {edge for edge in edges if edge[1] in EXPORTS} == {
        ("train_fold", "export_model"),
        ("train_fold", "export_ensemble"),
        ("blend_folds", "export_ensemble"),
    }


REFUSED = "leaks={policy: {exact: {test: error}}}"


@pytest.mark.slow
def test_copies_in_the_test_split_that_are_an_error_are_found_before_any_training(new_project: Project) -> None:
    without = new_project.snakemake("-n", "results/folds.csv").stdout
    assert "Find duplicates of train images" in without
    assert "Find duplicates of test images" not in without
    refused = new_project.snakemake("-n", "results/folds.csv", "--config", REFUSED).stdout
    assert "Find duplicates of test images" in refused


@pytest.mark.slow
def test_the_audit_of_the_test_split_leaves_folds_as_they_are(finished_project: Project) -> None:
    planned = finished_project.snakemake("-n", "results/submission.csv", "--config", REFUSED).stdout
    assert "Find duplicates of test images" in planned
    assert "Assign training rows" not in planned
    # The next dry run makes the key of the audit fresh again.
    finished_project.snakemake("-n")
