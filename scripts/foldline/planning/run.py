"""One run of the workflow: the paths of its own files, its plan, and the key files of its jobs.

Snakemake reads the Snakefile in the process that builds the DAG and in every process that runs a single job. The first
one makes the plan, configuration included, and stores it; the others load it. While a run executes jobs, no other
command changes the plan, the key files or the data index: it plans in a private folder.
"""

import atexit
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, counted, listing, problems_error
from foldline.io import storage
from foldline.io.files import digest_of
from foldline.planning import job_keys
from foldline.planning.batch_checks import batch_warnings
from foldline.planning.config_checks import combination_problems
from foldline.planning.data_index import DataIndexer
from foldline.planning.equal_files import CONTRADICTIONS
from foldline.planning.fold_plan import FOLDS, GROUP_LIKE, with_found_folds
from foldline.planning.found_words import CLASSES, VOCABULARIES, with_found_words
from foldline.planning.job_keys import JobFiles
from foldline.planning.known_labels import find_known_labels
from foldline.planning.leftover_results import remove_leftovers
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import RECORD_TABLES
from foldline.planning.result_store import LocalResults, check_data_is_visible, open_results
from foldline.planning.run_lock import RunLock
from foldline.planning.workflow_plan import Job, WorkflowPlan

logger = logging.getLogger(__name__)

OWN_FOLDER = ".foldline"
PLAN_FILE = "results/keys/plan.json"


@dataclass(frozen=True)
class RunPaths:
    """Paths of a run, which may be a module of another workflow and have its results in a bucket.

    Attributes:
        below_prefix: puts a path of the working directory below the prefix of the module.
        bucket: URL of the folder in the bucket that holds the working directory; "" if results are on a disk.
        private: folder of a command that plans while another run executes jobs; "" for the run itself.
    """

    below_prefix: Callable[[str], str]
    bucket: str = ""
    private: str = ""

    def of_planning(self, path: str) -> str:
        """Path of a local file that only the process that builds the DAG writes: key files, plan, data index."""
        return storage.join(self.private, self.below_prefix(path)) if self.private else self.below_prefix(path)

    def record_tables(self) -> str:
        """Folder or URL of the tables that are made from TFRecord files."""
        return self.of_planning(RECORD_TABLES) if self.private else self.beside_results(RECORD_TABLES)

    def index_mirror(self) -> str:
        """URL of the folder in the bucket that gets a copy of the data index; "" without a bucket or in private."""
        return self.beside_results(OWN_FOLDER) if self.bucket and not self.private else ""

    def made_private(self) -> "RunPaths":
        """The same paths for a command that changes nothing; it gets a copy of the data index."""
        private = tempfile.mkdtemp(prefix="foldline-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        paths = replace(self, private=private)
        ignored = shutil.ignore_patterns("checkpoints", "run.lock")
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(self.below_prefix(OWN_FOLDER), paths.of_planning(OWN_FOLDER), ignore=ignored)
        return paths

    def beside_results(self, path: str) -> str:
        """Path or URL of a file that the process that builds the DAG writes for all jobs."""
        return storage.join(self.bucket, self.below_prefix(path))

    def checkpoint_folder(self, folder: str) -> str:
        """Path or URL of the folder for the checkpoints of this working directory.

        Args:
            folder: `checkpoints.folder` of the configuration. A relative path is beside the results. Others may use an
                absolute one too, for models of the same names; so the working directory gets a subfolder there.
        """
        if storage.is_url(folder) or Path(folder).is_absolute():
            return storage.join(folder, digest_of(storage.join(Path.cwd(), self.beside_results("results")))[:16])
        return self.beside_results(folder)


@dataclass
class Run:
    """A run as one of its processes sees it.

    Attributes:
        plan: the plan.
        paths: the paths.
        results: where the results are; None in a process that runs a single job.
        lock: the lock of the working directory; None in a process that runs a single job.
        example_exists: whether the tables and images of the example exist; True for the user's own data.
        unranged: see `raw_data.RawData`; empty in a process that runs a single job.
    """

    plan: WorkflowPlan
    paths: RunPaths
    results: LocalResults | None = None
    lock: RunLock | None = None
    example_exists: bool = True
    unranged: Sequence[str] = ()

    @classmethod
    def prepare(
        cls,
        config: Mapping[str, Any],
        paths: RunPaths,
        *,
        pinned: Path | None,
        storage_settings: Any,
        storage_registry: Any,
    ) -> "Run":
        """Read the data and make the plan, in the process that builds the DAG.

        Args:
            config: the completed configuration.
            paths: the paths.
            pinned: pinned table of the example; None for the user's own data.
            storage_settings: Snakemake's storage settings.
            storage_registry: Snakemake's registry of storage providers.

        Raises:
            FoldlineError: the data are wrong or do not fit the configuration, or a bucket cannot be read.
        """
        check_data_is_visible(config["dataset"]["root"], storage_settings)
        lock = RunLock(Path(paths.below_prefix(OWN_FOLDER)) / "run.lock")
        if lock.holder:
            logger.warning(
                "another run works in this directory (%s); this command plans in a private folder and changes nothing",
                lock.holder,
            )
            paths = paths.made_private()
        folder = Path(paths.of_planning(OWN_FOLDER))
        results = open_results(
            storage_settings, storage_registry, digests=folder / "result_digests", read_only=bool(paths.private)
        )
        indexer = DataIndexer(
            config,
            folder=folder,
            pinned=pinned,
            record_tables=paths.record_tables(),
            mirror=paths.index_mirror(),
        )
        data_index = indexer.read()
        for name, words in data_index.left_out.items():
            shown = listing([f"{word!r} ({counted(count, 'row')})" for word, count in words.items()])
            logger.warning("dataset.external.%s.labels leaves out %s", name, shown)
        if data_index.found:
            config = _with_found_words(config, data_index.found)
        for line in batch_warnings(config, data_index.n_rows):
            logger.warning("%s", line)
        known_labels = find_known_labels(
            config["dataset"], data_index.tables, labels=data_index.label_cells, record_tables=paths.record_tables()
        )
        plan = make_plan(config, data_index, pinned=pinned, known_labels=known_labels)
        plan.config = dict(config)
        indexer.store(data_index)
        return cls(plan, paths, results, lock, example_exists=data_index.written, unranged=data_index.unranged)

    @classmethod
    def load(cls, paths: RunPaths) -> "Run":
        """Load the plan in a process that runs a single job: from the disk, or from the bucket if it is not there."""
        local = paths.below_prefix(PLAN_FILE)
        run = cls(WorkflowPlan.load(local if storage.is_file(local) else paths.beside_results(PLAN_FILE)), paths)
        job_keys.write_missing_keys(run.plan.keys)
        return run

    def refresh_keys(self, files_of: Callable[[Job], JobFiles]) -> None:
        """Store the plan and bring the key files up to date; only the process that builds the DAG does."""
        if self.results is None:
            return
        self.plan.keys = {str(files_of(job).key): job.key for job in self.plan.jobs}
        self.plan.facts = job_keys.job_facts(self.plan, files_of, self.results)
        self.plan.save(self.paths.of_planning(PLAN_FILE))
        job_keys.refresh(
            self.plan,
            files_of,
            self.results,
            is_forced=lambda job: job.rule == "example_data" and not self.example_exists,
        )
        self.results.save()

    def start(self) -> None:
        """Keep other runs out of the working directory until this process ends, and store the plan beside the results.

        Scores and a submission of a test split that the plan no longer has are removed. Jobs on machines that do not
        see this disk load the plan from there.

        Raises:
            FoldlineError: another run works in this directory.
        """
        if self.lock is not None:
            self.lock.start()
            remove_leftovers(self.plan, self.paths.beside_results)
        self.plan.save(self.paths.beside_results(PLAN_FILE))

    def start_check(self, *, local: bool) -> None:
        """Let other runs start in the working directory: a check changes nothing in it.

        Args:
            local: whether the job of the check is a child of this process, and needs no stored plan.

        Raises:
            FoldlineError: the job would load a wrong plan.
        """
        if self.lock is None:
            return
        if local:
            self.lock.release()
        elif self.paths.private:
            raise FoldlineError(
                f"another run works in this directory ({self.lock.holder}), whose plan a job on another machine would "
                "load; wait until it ends, check on this machine (without --executor), or check in another directory "
                "(--directory DIRECTORY)"
            )
        else:
            self.plan.save(self.paths.beside_results(PLAN_FILE))


def _with_found_words(config: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the classes, vocabularies and folds that were found, and all checks that need them.

    Raises:
        FoldlineError: values do not fit to these words.
    """
    words = {"dataset.labels.classes": found[CLASSES]} if CLASSES in found else {}
    words |= {f"dataset.metadata.{name}.vocabulary": values for name, values in found.get(VOCABULARIES, {}).items()}
    for key, values in words.items():
        shown = listing(values, limit=20)
        logger.warning("%s is read from the data: %s; set it to fix the words and their order", key, shown)
    folds = found.get(FOLDS, {})
    for text in [*found.get(CONTRADICTIONS, []), *folds.get(GROUP_LIKE, [])]:
        logger.warning("%s", text)
    if "names" in folds:
        count, shown = counted(len(folds["names"]), "fold"), listing(folds["names"], limit=20)
        logger.warning("the data have %s: %s; folds.count follows", count, shown)
    completed = {**config, "dataset": with_found_words(config["dataset"], found)}
    completed["folds"] = with_found_folds(config["folds"], folds)
    if problems := combination_problems(completed):
        raise problems_error(problems)
    return completed
