"""Jobs, times and objects of a large data set: dry runs, a run with nothing to do, and what a whole run would leave.

    python tests/benchmark/planning.py FOLDER [--images 1000000] [--models 20] [--folds 5]

FOLDER must not be there; it takes some 300 MB for a million images, which are names of a few files without content and
are never read. Planning does not open results, so each output holds a few bytes, and records fit them; `scale.py` runs
the steps themselves. A tenth as many test images come on top. Times are wall seconds and, behind them, CPU seconds of
Snakemake.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from fixtures.many import write_many  # noqa: E402
from fixtures.project import copy_workflow, outputs_of_jobs, with_environment  # noqa: E402
from foldline.io.build_record import BuildRecord  # noqa: E402


def snakemake(folder: Path, *arguments: str) -> tuple[str, str]:
    """Run Snakemake; gives what it printed, and its wall and CPU seconds as a text."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(command, cwd=folder, env=with_environment(), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, f"{time.monotonic() - start:.1f} ({cpu:.1f})"


def pretend_results(folder: Path) -> tuple[int, int]:
    """Write all outputs, logs and benchmarks of a run; gives how many outputs there are, and files in all."""
    table, _ = snakemake(folder, "--summary")
    others = {log for line in table.splitlines() for log in line.split("\t")[3:4] for log in log.split(",") if log}
    jobs = outputs_of_jobs(table)
    for built, outputs in jobs.items():
        others.add(built.replace("results/keys", "benchmarks", 1).removesuffix(".built") + ".tsv")
        for name in outputs:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("pretended\n")
        key = (folder / built).with_suffix(".key").read_text().splitlines()[0]
        BuildRecord.of_files(key, [folder / name for name in outputs], on_disk=True).write(folder / built)
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("pretended\n")
    made = len(jobs) + sum(map(len, jobs.values()))
    return made, made + len(others)


def edit_a_label(table: Path) -> None:
    """Exchange the label of a row in the middle."""
    lines = table.read_text().split("\n")
    middle = len(lines) // 2
    cells, _, label = lines[middle].rpartition(",")
    lines[middle] = f"{cells},{1 - int(label)}"
    table.write_text("\n".join(lines))


def main(folder: Path, *, images: int, models: int, folds: int) -> None:
    """Print the table."""
    folder.mkdir(parents=True)
    copy_workflow(folder)
    write_many(folder, train=images, test=images // 10, models=models, folds=folds)
    output, first = snakemake(folder, "-n", "--quiet", "rules")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
    _, dry = snakemake(folder, "-n", "--quiet", "rules")
    outputs, objects = pretend_results(folder)
    output, idle = snakemake(folder)
    if "Nothing to be done" not in output:
        sys.exit(output)
    edit_a_label(folder / "data" / "train.csv")
    _, edited = snakemake(folder, "-n", "--quiet", "rules")
    rows = {
        f"jobs ({', '.join(f'{count} {rule}' for rule, count in jobs.items() if rule != 'total')})": jobs["total"],
        "dry run, s (CPU s)": dry,
        "first dry run, which reads the tables": first,
        "dry run after an edit of a table": edited,
        "run with nothing to do": idle,
        "files or objects of a whole run (outputs, logs, benchmarks)": f"{objects:,} ({outputs:,} outputs)",
    }
    print("| what | measured |\n|---|---:|")
    for what, value in rows.items():
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name, default in (("images", 1_000_000), ("models", 20), ("folds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    main(arguments.folder.absolute(), images=arguments.images, models=arguments.models, folds=arguments.folds)
