"""Kill whole runs at random moments; each ends in the bytes of an unbroken run, with nothing stale.

    python tests/faults/campaign/kills.py FOLDER [--kills 100] [--seed 1]

A run is killed, and repeated by the same command, until it ends by itself; then the next one begins. A kill is SIGKILL
to all processes, SIGKILL to Snakemake alone (its jobs go on), or SIGTERM or SIGINT to all. FOLDER is new, or that of an
interrupted campaign with the same seed, which is completed.
"""

import argparse
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from fixtures.project import Project  # noqa: E402
from fixtures.whole_runs import (  # noqa: E402
    LiveRun,
    Progress,
    copy_of,
    cpu_seconds,
    differing,
    one_thread_each,
    processes_in,
    results_of,
    results_once,
    small_project,
    wait_for_processes,
)

# Signal, and whether all processes get it.
KILLS = {
    "KILL to all": (signal.SIGKILL, True),
    "KILL to Snakemake": (signal.SIGKILL, False),
    "TERM to all": (signal.SIGTERM, True),
    "INT to all": (signal.SIGINT, True),
}
WEIGHTS = (2, 1, 1, 1)
# What a job says if one that outlived a kill wrote its inputs.
BESIDE_SURVIVORS = ("changed while this step read it",)


@dataclass
class KilledRun:
    """A run that was repeated until it ended by itself.

    Attributes:
        kills: names of the kills.
        beside_survivors: number of repetitions that failed because jobs of a killed run still wrote.
        problems: what was wrong.
    """

    kills: list[str] = field(default_factory=list)
    beside_survivors: int = 0
    problems: list[str] = field(default_factory=list)


def run_with_kills(
    project: Project, draw: random.Random, *, most: int, seconds: float, expected: dict[str, str]
) -> KilledRun:
    """Kill a run at most so often, each time after a random part of `seconds`, and look at what its end leaves."""
    run = KilledRun()
    while not run.problems:
        live, survivors = LiveRun(project), bool(run.kills) and bool(processes_in(project.folder))
        code = live.wait(draw.uniform(0, seconds) if len(run.kills) < most else None)
        if code is None:
            (name,) = draw.choices(list(KILLS), WEIGHTS)
            number, group = KILLS[name]
            live.signal(number, group=group)
            live.wait()
            run.kills.append(name)
            if name == "KILL to all" and (left := wait_for_processes(project.folder)):
                run.problems.append(f"{name} leaves processes {left}")
        elif code == 0:
            run.problems += left_over(project) + differing(results_of(project.folder), expected)
            break
        elif survivors and any(text in live.console.read_text() for text in BESIDE_SURVIVORS):
            run.beside_survivors += 1
            wait_for_processes(project.folder, 60)
        else:
            run.problems.append(f"after {run.kills} the run fails with {code}:\n{live.console.read_text()[-3000:]}")
    return run


def left_over(project: Project) -> list[str]:
    """Processes, unfinished files, checkpoints and stale jobs that no run should leave."""
    processes = [f"process {number}" for number in wait_for_processes(project.folder)]
    unfinished = [str(path.relative_to(project.folder)) for path in (project.folder / "results").rglob("*.part")]
    checkpoints = [str(path) for path in (project.folder / ".foldline" / "checkpoints").glob("*")]
    stale = [f"stale: {name}" for name in sorted(project.stale())]
    return [*processes, *unfinished, *checkpoints, *stale]


def main(folder: Path, *, kills: int, seed: int) -> None:
    """Kill and compare; exits with 1 if something was wrong."""
    one_thread_each()
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder / "project") if (folder / "project").exists() else small_project(folder / "project")
    start, length = time.monotonic(), folder / "seconds.txt"
    expected = results_once(folder / "expected.json", copy_of(project, folder / "unbroken"))
    if not length.exists():
        length.write_text(f"{time.monotonic() - start:.1f}\n")
    # So a run is killed several times, and each of its phases at some time.
    between = float(length.read_text()) / 3
    progress = Progress(folder / "progress.jsonl")
    done = list(progress)
    while (killed := sum(len(run["kills"]) for run in done)) < kills:
        draw, start, cpu = random.Random(f"{seed} {len(done)}"), time.monotonic(), cpu_seconds()
        broken = copy_of(project, folder / "broken")
        run = run_with_kills(broken, draw, most=kills - killed, seconds=between, expected=expected)
        wall = round(time.monotonic() - start, 1)
        progress.add(run=len(done), **vars(run), seconds=wall, cpu_seconds=round(cpu_seconds() - cpu, 1))
        if run.problems:
            copy_of(broken, folder / f"problem{len(done)}")
        done = list(progress)
    wrong = sum(bool(run["problems"]) for run in done)
    print(f"{killed} kills in {len(done)} runs, {wrong} runs with problems")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    main(arguments.folder.absolute(), kills=arguments.kills, seed=arguments.seed)
