"""Resources of jobs: every rule names its own, memory grows with the attempt, profiles give reasons for the rest."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.forked import SERVER
from fixtures.project import REPOSITORY, Project, with_environment

NAMED = ("threads", "mem_mb", "runtime", "disk_mb")
ON_CHIPS = {"check", "embed_images", "train_fold", "predict_oof", "predict_test"}
TARGETS = ["all", "check", "measure", "results/export/ensemble/saved_model.pb", "results/export/a/fold0/saved_model.pb"]
PROFILES = sorted(path.parent.name for path in REPOSITORY.glob("workflow/profiles/*/config.yaml"))


def resources_of_jobs(project: Project, *arguments: str) -> dict[str, dict[str, Any]]:
    """Resources of the jobs of a dry run, by rule; those of the last job if the jobs of a rule differ."""
    program = REPOSITORY / "tests" / "fixtures" / "jobs.py"
    words = ["-n", *arguments, "--", *TARGETS]
    done = SERVER.run(program, words, folder=project.folder, environment=with_environment())
    assert done.returncode == 0, done.stderr
    jobs = [json.loads(line.removeprefix("JOB ")) for line in done.stdout.splitlines() if line.startswith("JOB ")]
    return {job["rule"]: job for job in jobs}


def rules_of(repository: Path) -> dict[str, str]:
    """The text of each rule."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(repository.glob("workflow/rules/*.smk")))
    found = re.split(r"^ *rule (\w+):$", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_only_a_small_audit_is_a_local_job(repository: Path) -> None:
    """Dry runs do not tell which jobs are local. The documentation has the same number."""
    assert "localrule: sum(RUN.plan.rows.values()) <= MOST_IMAGES_OF_LOCAL_AUDIT" in rules_of(repository)["audit_leaks"]
    text = (repository / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
    (most,) = re.findall(r"^MOST_IMAGES_OF_LOCAL_AUDIT = ([\d_]+)$", text, re.MULTILINE)
    documentation = (repository / "workflow" / "documentation.md").read_text(encoding="utf-8")
    assert f"with more than {int(most):,} images a job of the cluster" in documentation


def test_every_rule_names_its_resources(repository: Path) -> None:
    rules = rules_of(repository)
    assert len(rules) == 29
    for name, text in rules.items():
        assert re.search(r"^ +threads: \d+$", text, re.MULTILINE), name
        assert re.search(
            r"^ +mem_mb=mem_mb_(per_attempt|for_images|for_batches|for_largest_batch)\(", text, re.MULTILINE
        ), name
        for resource in ("runtime", "disk_mb"):
            assert re.search(rf"^ +{resource}=", text, re.MULTILINE), f"{name}: {resource}"
        # In a job on another machine they would multiply the retries of the profile.
        assert "retries:" not in text, name


@pytest.mark.slow
def test_resources_follow_the_configuration(new_project: Project) -> None:
    jobs = resources_of_jobs(new_project, "--cores", "4")
    assert set(jobs) == {*rules_of(REPOSITORY), "all"} - {
        *("example_data", "no_submission", "score_test", "predict_holdout", "score_holdout", "import_features"),
        *("repeat_folds", "train_final"),
    }
    assert [name for name, job in jobs.items() if name != "all" and not set(NAMED) <= set(job)] == []
    # Batches of 16 and of 64 images of 32 pixels.
    assert (jobs["train_fold"]["mem_mb"], jobs["predict_oof"]["mem_mb"]) == (2066, 1533)
    # Two small images beside three processes.
    assert jobs["scan_images"]["mem_mb"] == jobs["shard_records"]["mem_mb"] == 451
    assert {name for name, job in jobs.items() if "gpu" in job} == ON_CHIPS
    assert not any(job.get("gpu") or job.get("tpu") for job in jobs.values())
    config = ["--config", "accelerator=gpu"]
    changed = resources_of_jobs(new_project, "--cores", "4", *config)
    assert {name for name, job in changed.items() if job.get("gpu") == 1 and job["tpu"] == 0} == ON_CHIPS
    # A GB, and the few kB of the shards.
    assert {changed[rule]["disk_mb"] for rule in (*ON_CHIPS - {"check"}, "shard_records", "render_report")} == {1001}


@pytest.mark.slow
def test_one_fold_owns_the_chips_of_a_tpu_vm(new_project: Project) -> None:
    jobs = resources_of_jobs(new_project, "--profile", "workflow/profiles/tpu-vm", "--cores", "6")
    assert {name: job["threads"] for name, job in jobs.items() if job.get("tpu") == 1} == dict.fromkeys(ON_CHIPS, 6)
    assert yaml.safe_load((REPOSITORY / "workflow/profiles/tpu-vm/config.yaml").read_text())["resources"] == ["tpu=1"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_entry_of_a_profile_has_a_reason(profile: str) -> None:
    lines = (REPOSITORY / "workflow" / "profiles" / profile / "config.yaml").read_text(encoding="utf-8").splitlines()
    entries = [number for number, line in enumerate(lines) if re.match(r"[\w-]+:", line)]
    assert entries
    assert [lines[number] for number in entries if not lines[number - 1].startswith("#")] == []


def test_profiles_name_only_rules_that_exist(repository: Path) -> None:
    rules = set(rules_of(repository))
    assert {"default", "googlebatch", "kubernetes", "slurm", "tpu-vm"} == set(PROFILES)
    for profile in PROFILES:
        content = yaml.safe_load((repository / "workflow" / "profiles" / profile / "config.yaml").read_text())
        sized = {*content.get("set-resources", {}), *content.get("set-threads", {})}
        assert sized <= rules, profile
        assert (profile == "default") != ("retries" in content), profile
