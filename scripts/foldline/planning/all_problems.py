"""The problems of the data beside those of the configuration, so that one report has all of them."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, SeveralProblemsError, counted, problems_error
from foldline.io.system_errors import system_errors_explained
from foldline.planning.config_reader import ConfigError
from foldline.planning.data_index import DataIndexer
from foldline.planning.run import OWN_FOLDER, RunPaths
from foldline.planning.run_lock import RunLock

logger = logging.getLogger(__name__)


def all_problems(
    error: ConfigError,
    paths: RunPaths,
    *,
    pinned: Callable[[Mapping[str, Any]], Path | None],
    check: Callable[[Mapping[str, Any]], object],
) -> FoldlineError:
    """The error for all problems of a configuration, and of its data if the sections that describe them are right.

    The data index keeps what was read, for the run with the corrected configuration.

    Args:
        error: the problems of the configuration.
        paths: the paths of the run.
        pinned: gives the pinned table of the example; None for the user's own data.
        check: raises an error for a configuration with which the data are not read in this working directory.
    """
    if error.config is None:
        return FoldlineError(f"{error}\nThe data are checked once the configuration says how to read them")
    found = counted(len(error.problems), "problem")
    logger.warning("the configuration has %s; the data are read to report theirs as well", found)
    problems = list(error.problems)
    try:
        with system_errors_explained():
            check(error.config)
            problems += _read_data(error.config, paths, pinned(error.config))
    except SeveralProblemsError as several:
        problems += several.problems
    except FoldlineError as one:
        problems.append(str(one))
    return problems_error(problems)


def _read_data(config: Mapping[str, Any], paths: RunPaths, pinned: Path | None) -> list[str]:
    """Read and store the index of the data; gives the problems with which they can be measured, but not used."""
    lock = RunLock(Path(paths.below_prefix(OWN_FOLDER)) / "run.lock")
    if lock.holder:
        paths = paths.made_private()
    indexer = DataIndexer(
        config,
        folder=Path(paths.of_planning(OWN_FOLDER)),
        pinned=pinned,
        record_tables=paths.record_tables(),
        mirror=paths.index_mirror(),
    )
    data_index = indexer.read()
    indexer.store(data_index)
    return data_index.unranged
