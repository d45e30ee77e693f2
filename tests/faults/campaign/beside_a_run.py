"""Edit a project while a run lives, and give a second command; afterwards exactly the right jobs are stale.

    python tests/faults/campaign/beside_a_run.py FOLDER [--triples 50] [--seed 1]

A triple is a first edit, which makes jobs of a run stale, a second edit at a random moment of that run, and a command
beside it. Afterwards Snakemake lists exactly the jobs whose record does not hold their key or whose outputs were
damaged, and all behind them; and the next run ends in the bytes of a run in a new folder. FOLDER is new, or that of an
interrupted campaign with the same seed, which is completed.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

import yaml  # noqa: E402
from fixtures.plans import path_of, plan_of  # noqa: E402
from fixtures.project import Project  # noqa: E402
from fixtures.whole_runs import (  # noqa: E402
    LiveRun,
    Progress,
    copy_of,
    cpu_seconds,
    differing,
    one_thread_each,
    results_of,
    results_once,
    small_project,
    wait_for_processes,
)
from foldline.io.build_record import BuildRecord  # noqa: E402
from PIL import Image  # noqa: E402

Edit = Callable[[Path], None]
COMMANDS = (("-n",), ("--summary",), ("--dag",), ("-n", "--forcerun", "make_folds"), ())
EXPORTS = ("export_model", "export_ensemble")
# Seconds in which a run does what is stale after a first edit, and those after the others.
SHORT_RUNS = {"title": 4.0, "report code": 4.0, "blend": 5.0, "submission": 5.0}
LONG_RUN = 12.0
# What a job says whose table, images, code or inputs are not the planned ones.
REASONS = ("changed after the run was planned", "changed while this step read it", "changed since it was scanned")
# What it says of a damaged result, behind its path.
DAMAGE = "cannot be read as a Parquet file"


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


@dataclass(frozen=True)
class Triple:
    """What is done to a project.

    Attributes:
        first: name of the edit before the run.
        second: name of the edit beside it.
        command: arguments of Snakemake beside the run.
        moment: seconds from the start of the run to the second edit.
    """

    first: str
    second: str
    command: tuple[str, ...]
    moment: float

    @classmethod
    def drawn(cls, draw: random.Random, names: Sequence[str]) -> "Triple":
        """Draw a triple of these edits."""
        first, second = draw.sample(sorted(names), 2)
        return cls(first, second, draw.choice(COMMANDS), draw.uniform(0.5, SHORT_RUNS.get(first, LONG_RUN)))

    @property
    def edits(self) -> frozenset[str]:
        """The edits that a run in a new folder needs for the same results."""
        return frozenset({self.first, self.second} - set(DAMAGED))


@dataclass(frozen=True)
class Outcome:
    """What became of a triple.

    Attributes:
        live: whether the run lived when the second edit came.
        code: exit code of the run.
        stale: number of stale jobs afterwards.
        problems: what was wrong.
    """

    live: bool
    code: int
    stale: int
    problems: list[str]


def try_triple(project: Project, triple: Triple, expected: Mapping[str, str]) -> Outcome:
    """Try a triple in a project in which everything has run.

    Args:
        project: the project; it is changed.
        triple: the edits and the command.
        expected: results of a run with the edits in a new folder.
    """
    EDITS[triple.first](project.folder)
    live = LiveRun(project)
    try:
        is_live = live.wait(triple.moment) is None
        # The run stands still while its files change, and while other commands run, unless these wait for its plan.
        live.signal(signal.SIGSTOP)
        EDITS[triple.second](project.folder)
        lock = project.folder / ".foldline" / "run.lock"
        # On a slow machine there may be none yet.
        if not lock.is_file() or not lock.read_text().startswith("running"):
            live.signal(signal.SIGCONT)
        if is_live:
            project.snakemake(*triple.command, check=False)
        live.signal(signal.SIGCONT)
        code = live.wait()
    finally:
        live.end()
    problems = [f"process {number} lives on" for number in wait_for_processes(project.folder)]
    reasons = [*REASONS, *(f"{path}: {DAMAGE}" for name, (path, _) in DAMAGED.items() if name == triple.second)]
    if code and not any(reason in live.console.read_text() for reason in reasons):
        problems.append(f"the run failed: {live.console.read_text()[-3000:]}")
    right = expected_stale(project.folder, is_damaged(project.folder, triple.second))
    if (stale := project.stale()) != right:
        problems.append(f"stale {sorted(stale - right)}, not stale {sorted(right - stale)}")
    project.snakemake()
    problems += differing(results_of(project.folder), dict(expected))
    return Outcome(is_live, code, len(stale), problems)


def expected_stale(folder: Path, damaged: str | None) -> set[str]:
    """Jobs without a record of their key, the damaged one, and all behind them."""
    # Elsewhere, because what the project knows of its files, or this process of these paths, may be outdated.
    clean = Path(tempfile.mkdtemp(prefix="plan", dir=folder.parent))
    shutil.copytree(
        folder, clean, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".foldline", ".snakemake", "results", "logs")
    )
    stale: set[str] = set()
    for job in plan_of(clean).jobs:
        record = BuildRecord.read(folder / "results" / "keys" / f"{path_of(job)}.built")
        behind = any(path_of(need) in stale for need in job.needs)
        if behind or record is None or record.key != job.key or path_of(job) == damaged:
            stale.add(path_of(job))
    shutil.rmtree(clean)
    return {name for name in stale if not name.startswith(EXPORTS)}


def is_damaged(folder: Path, name: str) -> str | None:
    """The job whose output is not what its record says; None if a run has built it again since."""
    path, job = DAMAGED.get(name, ("", ""))
    record = BuildRecord.read(folder / "results" / "keys" / f"{job}.built")
    if record is None or not (folder / path).is_file():
        return None
    now = BuildRecord.of_files("", [folder / path], on_disk=False).outputs
    return job if any(record.outputs.get(file) != content for file, content in now.items()) else None


class Campaign:
    """The triples of a seed, and the results of runs in new folders by their edits."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        (folder / "expected").mkdir(parents=True, exist_ok=True)
        self._new, self._finished = Project(folder / "new"), Project(folder / "finished")
        if not self._new.folder.exists():
            small_project(self._new.folder)
        if not (folder / "expected" / "none.json").exists():
            copy_of(self._new, self._finished.folder)
        self._of_new_folder(frozenset(), self._finished)

    def triple(self, number: int) -> tuple[Triple, Outcome]:
        """Try the triple of a number."""
        triple = Triple.drawn(random.Random(f"{self._seed} {number}"), list(EDITS))
        expected = self._of_new_folder(triple.edits)
        project = copy_of(self._finished, self._folder / "live")
        outcome = try_triple(project, triple, expected)
        if outcome.problems:
            copy_of(project, self._folder / f"problem{number}")
        return triple, outcome

    def _of_new_folder(self, edits: frozenset[str], project: Project | None = None) -> dict[str, str]:
        path = self._folder / "expected" / f"{' and '.join(sorted(edits)) or 'none'}.json"
        if project is None and not path.exists():
            project = copy_of(self._new, self._folder / "clean")
            for name in sorted(edits):
                EDITS[name](project.folder)
        return results_once(path, project or self._new)


def main(folder: Path, *, triples: int, seed: int) -> None:
    """Try triples until so many met a living run; exits with 1 if something was wrong."""
    one_thread_each()
    campaign, progress = Campaign(folder, seed), Progress(folder / "progress.jsonl")
    done = list(progress)
    while (met := sum(each["live"] for each in done)) < triples:
        start, cpu = time.monotonic(), cpu_seconds()
        triple, outcome = campaign.triple(len(done))
        wall, cpu = round(time.monotonic() - start, 1), round(cpu_seconds() - cpu, 1)
        progress.add(number=len(done), **vars(triple), **vars(outcome), seconds=wall, cpu_seconds=cpu)
        done = list(progress)
    wrong = sum(bool(each["problems"]) for each in done)
    print(f"{met} triples with a living run, {len(done) - met} whose run had ended, {wrong} with problems")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--triples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    main(arguments.folder.absolute(), triples=arguments.triples, seed=arguments.seed)
