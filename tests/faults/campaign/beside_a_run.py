"""Edit a project while a run lives, and give a second command; afterwards exactly the right jobs are stale.

    python tests/faults/campaign/beside_a_run.py FOLDER [--triples 50] [--seed 1]

FOLDER must not be there. A triple is a first edit, which makes jobs of a run stale, a second edit at a random moment of
that run, and a command beside it. Afterwards a dry run lists the jobs whose record does not hold their key or whose
outputs were damaged, and all behind them; and the next run ends in the bytes of a run in a new folder.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

import yaml  # noqa: E402
from fixtures.plans import path_of, plan_of  # noqa: E402
from fixtures.whole_runs import LiveRun, copy_of, differing, results_of, small_project  # noqa: E402
from foldline.io.build_record import BuildRecord  # noqa: E402
from PIL import Image  # noqa: E402

Edit = Callable[[Path], None]
COMMANDS = (["-n"], ["--summary"], ["--dag"], ["-n", "--forcerun", "make_folds"], [])
EXPORTS = ("export_model", "export_ensemble")
# What a job says whose table, images, code or inputs are not the planned ones.
REASONS = ("changed after the run was planned", "changed while this step read it", "changed since it was scanned")


def set_value(*path: str | int, value: object) -> Edit:
    """Set a value of the configuration."""

    def edit(folder: Path) -> None:
        file = folder / "config" / "config.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        section = config
        for key in path[:-1]:
            section = section.setdefault(key, {})
        section[path[-1]] = value
        file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    return edit


def change_cell(folder: Path) -> None:
    """Move a training row to another patient."""
    path = folder / "data" / "train.csv"
    path.write_text(path.read_text().replace("s003,p001,", "s003,p999,"))


def change_image(name: str) -> Edit:
    """Color a pixel of an image."""

    def edit(folder: Path) -> None:
        path = folder / "data" / "images" / f"{name}.png"
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        picture.putpixel((0, 0), (255, 0, 0))
        picture.save(path)

    return edit


def append(name: str, text: str) -> Edit:
    """Append text to a file."""

    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return edit


def damage(name: str) -> Edit:
    """Flip the last byte of a result, if it is there at that moment."""

    def edit(folder: Path) -> None:
        path = folder / name
        if path.is_file() and (content := path.read_bytes()):
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return edit


EDITS: dict[str, Edit] = {
    "learning rate": set_value("models", "m", "learning_rate", value=0.01),
    "override of fold 1": set_value("models", "m", "fold_overrides", value={1: {"seed": 5}}),
    "blend": set_value("blend", "method", value="rank_mean"),
    "title": set_value("report", "title", value="Skin"),
    "patient": change_cell,
    "training image": change_image("s004"),
    "test image": change_image("s025"),
    "loss code": append("scripts/foldline/training/losses.py", "\nEDITED = 1\n"),
    "report code": append("scripts/foldline/report/score_plots.py", "\nEDITED = 1\n"),
}
DAMAGED = {
    "weights": ("results/models/m/fold0/weights.weights.h5", "train_fold/m/fold0"),
    "predictions": ("results/predictions/m/fold1/oof.parquet", "predict_oof/m/fold1"),
    "shard": ("results/shards/32/train/00000-of-00001.tfrec", "shard_records/32/train/00000-of-00001"),
    "submission": ("results/submission.csv", "blend_folds"),
}
EDITS |= {name: damage(path) for name, (path, _) in DAMAGED.items()}


def expected_stale(folder: Path, damaged: str | None) -> set[str]:
    """Jobs without a record of their key, the damaged one, and all behind them."""
    stale: set[str] = set()
    for job in plan_of(folder).jobs:
        record = BuildRecord.read(folder / "results" / "keys" / f"{path_of(job)}.built")
        behind = any(path_of(need) in stale for need in job.needs)
        if behind or record is None or record.key != job.key or path_of(job) == damaged:
            stale.add(path_of(job))
    return {name for name in stale if not name.startswith(EXPORTS)}


def is_damaged(folder: Path, name: str) -> str | None:
    """The job whose output is not what its record tells; None if a run has built it again since."""
    path, job = DAMAGED.get(name, ("", ""))
    record = BuildRecord.read(folder / "results" / "keys" / f"{job}.built")
    if record is None or not (folder / path).is_file():
        return None
    now = BuildRecord.of_files("", [folder / path], on_disk=False).outputs
    return job if any(record.outputs.get(file) != content for file, content in now.items()) else None


class Campaign:
    """The triples, and the results of runs in new folders, by the edits of their inputs."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._draw = folder, random.Random(seed)
        self._new = small_project(folder / "new")
        self._finished = copy_of(self._new, folder / "finished")
        self._finished.snakemake()
        self._expected: dict[frozenset[str], dict[str, bytes]] = {}

    def triple(self) -> list[str]:
        """Try one triple; gives what was wrong."""
        draw = self._draw
        first, second = draw.sample(sorted(EDITS), 2)
        command, moment = draw.choice(COMMANDS), draw.uniform(0.5, 12)
        print(f"{first}, after {moment:.1f} s {second}, {' '.join(command) or 'a second run'}:", end=" ", flush=True)
        project = copy_of(self._finished, self._folder / "live")
        EDITS[first](project.folder)
        live = LiveRun(project)
        try:
            live.process.wait(moment)
        except subprocess.TimeoutExpired:
            live.signal(signal.SIGSTOP)
        try:
            EDITS[second](project.folder)
            if live.process.poll() is None:
                project.snakemake(*command, check=False)
            live.signal(signal.SIGCONT)
            code = live.process.wait(600)
        finally:
            live.end()
        problems = []
        if code and not any(reason in live.console.read_text() for reason in REASONS):
            problems.append(f"the run failed: {live.console.read_text()[-1500:]}")
        expected = expected_stale(project.folder, is_damaged(project.folder, second))
        if (stale := project.stale()) != expected:
            problems.append(f"stale {sorted(stale - expected)}, not stale {sorted(expected - stale)}")
        project.snakemake()
        problems += differing(results_of(project.folder), self._of_a_new_folder({first, second} - set(DAMAGED)))
        return problems

    def _of_a_new_folder(self, edits: set[str]) -> dict[str, bytes]:
        if (known := frozenset(edits)) not in self._expected:
            project = copy_of(self._new, self._folder / "clean")
            for name in sorted(edits):
                EDITS[name](project.folder)
            project.snakemake()
            self._expected[known] = results_of(project.folder)
            shutil.rmtree(project.folder)
        return self._expected[known]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--triples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    campaign, wrong = Campaign(arguments.folder.absolute(), arguments.seed), 0
    for _ in range(arguments.triples):
        found = campaign.triple()
        wrong += bool(found)
        print(found or "right", flush=True)
    print(f"{arguments.triples} triples, {wrong} wrong")
    sys.exit(wrong > 0)
