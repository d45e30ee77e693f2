"""Kill whole runs at random moments; each ends in the bytes of an unbroken run, with nothing stale.

    python tests/faults/campaign/kills.py FOLDER [--kills 100] [--seed 1]

FOLDER must not be there. A run is killed, and repeated by the same command, until it ends by itself; then the next one
begins. A kill is SIGKILL to all processes, SIGKILL to Snakemake alone (its jobs go on), or SIGTERM or SIGINT to all.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from fixtures.project import Project  # noqa: E402
from fixtures.whole_runs import LiveRun, copy_of, differing, results_of, small_project  # noqa: E402

# Signal, and whether all processes get it.
KILLS = (
    (signal.SIGKILL, True),
    (signal.SIGKILL, True),
    (signal.SIGKILL, False),
    (signal.SIGTERM, True),
    (signal.SIGINT, True),
)


def main(folder: Path, *, kills: int, seed: int) -> None:
    """Kill and compare; exits with 1 if a result differs."""
    draw = random.Random(seed)
    project = small_project(folder / "project")
    unbroken = copy_of(project, folder / "unbroken")
    start = time.monotonic()
    unbroken.snakemake()
    seconds, expected = time.monotonic() - start, results_of(unbroken.folder)
    print(f"unbroken: {len(expected)} results in {seconds:.0f} s", flush=True)
    done, failures, runs = 0, 0, 0
    while done < kills:
        broken, runs = copy_of(project, folder / "broken"), runs + 1
        killed = run_with_kills(broken, draw, most=kills - done, seconds=seconds)
        done += killed
        problems = differing(results_of(broken.folder), expected) + left_over(broken)
        failures += bool(problems)
        print(f"run {runs}: {killed} kills, {problems or 'equal'}", flush=True)
    print(f"{done} kills in {runs} runs, {failures} runs with a difference")
    sys.exit(failures > 0)


def run_with_kills(project: Project, draw: random.Random, *, most: int, seconds: float) -> int:
    """Repeat a run until it ends by itself; gives the number of kills."""
    killed = 0
    while True:
        live = LiveRun(project)
        try:
            live.process.wait(draw.uniform(0, seconds) if killed < most else None)
        except subprocess.TimeoutExpired:
            number, group = draw.choice(KILLS)
            live.signal(number, group=group)
            live.process.wait()
            killed += 1
            continue
        if live.process.returncode == 0:
            return killed
        # Scripts that outlived a killed Snakemake may still hold a fold for a moment.
        print(live.console.read_text()[-2000:], flush=True)
        if killed >= most:
            sys.exit("the run fails without a kill")


def left_over(project: Project) -> list[str]:
    """Stale jobs, and files that no run should leave."""
    unfinished = [str(path.relative_to(project.folder)) for path in (project.folder / "results").rglob("*.part")]
    checkpoints = [str(path) for path in (project.folder / ".foldline" / "checkpoints").glob("*")]
    return [*unfinished, *checkpoints, *(f"stale: {name}" for name in sorted(project.stale()))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    main(arguments.folder.absolute(), kills=arguments.kills, seed=arguments.seed)
