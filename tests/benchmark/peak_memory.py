"""Peak memory, CPU and wall time of every rule, from the benchmark files of a run.

Run as python tests/benchmark/peak_memory.py [FOLDER].
Prints one row per rule: jobs, the largest resident set of a job (MB, children included), and medians of CPU and wall
seconds.
"""

import argparse
import csv
import statistics
from collections import defaultdict
from pathlib import Path


def rows_by_rule(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Benchmark rows of all jobs in a folder, by rule."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="", encoding="utf-8") as handle:
            rows[path.relative_to(folder).parts[0].removesuffix(".tsv")].extend(csv.DictReader(handle, delimiter="\t"))
    return rows


def table(rows: dict[str, list[dict[str, str]]]) -> str:
    """Markdown table of the rules; values that were not measured (jobs shorter than the sampling) are left out."""
    lines = ["| rule | jobs | peak MB | CPU s | wall s |", "|---|---:|---:|---:|---:|"]
    for rule, jobs in rows.items():
        peak = max(_numbers(jobs, "max_rss"), default=float("nan"))
        cpu, wall = (statistics.median(_numbers(jobs, name) or [float("nan")]) for name in ("cpu_time", "s"))
        lines.append(f"| `{rule}` | {len(jobs)} | {peak:.0f} | {cpu:.1f} | {wall:.1f} |")
    return "\n".join(lines)


def _numbers(jobs: list[dict[str, str]], name: str) -> list[float]:
    return [float(job[name]) for job in jobs if job[name] not in ("NA", "-", "")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("benchmarks"))
    print(table(rows_by_rule(parser.parse_args().folder)))
