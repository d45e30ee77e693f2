# What all rules share: the completed configuration, the plan of jobs, and look-ups into it.
import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from math import ceil
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import apply_wildcards, flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.sourcecache import LocalSourceFile

# Not the folder of the main Snakefile: this may be a module of another workflow.
if not isinstance(workflow.current_basedir, LocalSourceFile):
    raise WorkflowError(
        f"{workflow.current_basedir}: Foldline's steps share a library, which Snakemake does not fetch with single "
        "files; clone the repository and give the path of its workflow/Snakefile"
    )
WORKFLOW = Path(workflow.current_basedir).parent


def load_library():
    """Import the package `foldline` from beside the workflow, and nothing else.

    `sys.path` stays as it is: a host workflow may have modules of the names of our scripts and packages.
    """
    folder = WORKFLOW.parent / "scripts" / "foldline"
    spec = spec_from_file_location("foldline", folder / "__init__.py", submodule_search_locations=[str(folder)])
    sys.modules["foldline"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["foldline"])


if "foldline" not in sys.modules:
    load_library()
elif Path(sys.modules["foldline"].__file__).parent != WORKFLOW.parent / "scripts" / "foldline":
    raise WorkflowError(
        f"{workflow.current_basedir}: another clone of Foldline is loaded already "
        f"({sys.modules['foldline'].__file__}); take all modules of a workflow from one clone"
    )

from foldline.dataset.id_hash import shards_within
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.files import digest_of
from foldline.planning import job_keys, run_lock
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import command_line_section, complete, read_schema, with_preset
from foldline.planning.data_index import DataIndexer
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import RECORD_TABLES
from foldline.planning.result_store import check_reach, results_of
from foldline.planning.workflow_plan import WorkflowPlan, job_name


def within(path):
    """A path of the working directory, below the `prefix` of the module that this workflow may be."""
    return workflow.modifier.path_modifier.replace_prefix(str(path))


PLAN_FILE = within("results/keys/plan.json")
OWN_FOLDER = Path(within(".foldline"))
RUN_LOCK = OWN_FOLDER / "run.lock"


try:
    schema = read_schema(WORKFLOW.parent / "config" / "config.schema.yaml")
    main_config = workflow.modifier_stack[0].globals["config"]
    command_line = command_line_section(config, main_config=main_config, command_line=workflow.config_settings.config)
    config = complete(with_preset(config, command_line, schema), schema)
    check_combinations(config)
except FoldlineError as error:
    raise WorkflowError(str(error)) from None

DATASET = Path(config["dataset"]["root"])
EXAMPLE = config["dataset"]["example"]
PINNED = WORKFLOW / "examples" / f"{EXAMPLE}.csv" if EXAMPLE else None
FOLDS = range(config["folds"]["count"])
MODELS = list(config["models"])
MODELS_WITH_IMAGES = [name for name, model in config["models"].items() if "image" in model["inputs"]]
LABELED_SPLITS = ["train", "external"] if config["dataset"]["external"] else ["train"]
# Chips that a job of training or prediction asks the scheduler for. "auto" asks for none and takes what it finds.
CHIPS = {kind: int(config["accelerator"] == kind) for kind in ("gpu", "tpu")}
# The conda environment of training, prediction and export: files are named before anybody looks for devices.
TRAINING_ENVIRONMENT = f"../../envs/train-{config['accelerator'].replace('auto', 'cpu')}.yaml"
LARGEST = max(model["image_size"] for model in config["models"].values())


def kept(path):
    """Place of a file that the starting process writes for all jobs: beside the results."""
    return storage.join(workflow.storage_settings.default_storage_prefix or "", path)


def checkpoint_folder(folder):
    """Folder or URL of the checkpoints of this working directory: beside the results, where a relative one is given.

    An absolute one may be that of others too, whose models may have the same names.
    """
    if storage.is_url(folder) or Path(folder).is_absolute():
        return storage.join(folder, digest_of(storage.join(Path.cwd(), kept(within("results"))))[:16])
    return kept(within(folder))


config["checkpoints"]["folder"] = checkpoint_folder(config["checkpoints"]["folder"])

if workflow.is_main_process:
    try:
        check_reach(config["dataset"]["root"], workflow.storage_settings)
        RESULTS = results_of(workflow.storage_settings, workflow.storage_registry)
        indexer = DataIndexer(config, folder=OWN_FOLDER, pinned=PINNED, record_tables=kept(within(RECORD_TABLES)))
        DATA_INDEX = indexer.read()
        PLAN = make_plan(config, DATA_INDEX, pinned=PINNED)
        indexer.store(DATA_INDEX)
    except FoldlineError as error:
        raise WorkflowError(str(error)) from None
else:
    # The disk of the starting process, if this one sees it, else the bucket of the results.
    PLAN = WorkflowPlan.load(PLAN_FILE if storage.is_file(PLAN_FILE) else kept(PLAN_FILE))
    job_keys.restore(PLAN.keys)


wildcard_constraints:
    split="train|external|test",
    shard=r"\d+-of-\d+",
    size=r"\d+",
    fold=r"\d+",
    model="|".join(MODELS),


def key_file(path):
    """A key file: on the local disk, even where results are in a bucket.

    `local()` would keep the job on this machine as well, so the path only counts as one that got its storage already.
    """
    return flag(within(path), PATH_MODIFIER_FLAG)


def settings_of(step):
    """Parameter of a rule: the keyword arguments that the plan has for the job."""
    return lambda wildcards: PLAN.arguments[job_name(step, dict(wildcards))]


def growing(mem_mb):
    """Resource of a rule: this memory in MB, as much again with each attempt after one that failed."""
    return lambda wildcards, attempt: mem_mb * attempt


def growing_with_batches(mem_mb, *, per_megapixel, batch_size):
    """Resource of a rule: as `growing`, and this memory in MB for each megapixel of a batch of images on a CPU.

    `batch_size` gives the rows of a batch by the section of the model.
    """

    def asked(wildcards, attempt):
        model = config["models"][wildcards.model]
        return ceil(attempt * (mem_mb + per_megapixel * batch_size(model) * model["image_size"] ** 2 / 1e6))

    return asked


def room(megabytes):
    """Disk in MB for shards of this expected size, which may be half as much again, and a GB for all else."""
    return ceil(1000 + 1.5 * megabytes)


def room_for(splits, size=None):
    """Resource of a rule: disk in MB for the shards of some splits, of which jobs in a cloud have copies.

    The image size is that of the wildcard `model` where none is given.
    """

    def disk_mb(wildcards):
        pixels = size or config["models"][wildcards.model]["image_size"]
        return room(sum(PLAN.megabytes[f"{pixels}/{split}"] for split in splits))

    return disk_mb


def room_of_shard(wildcards):
    """Resource of a rule: disk in MB for one shard."""
    cut = f"{wildcards.size}/{wildcards.split}"
    return room(PLAN.megabytes[cut] / len(PLAN.shards[f"shards/{cut}"]))


def table_of(split):
    """The table of the example. A user's table is no input: its rows are in the keys, row by row."""
    return example_table(f"{split}_table") if EXAMPLE else []


def example_table(name):
    """A table of the example. It stays on the local disk, with the images beside it."""
    return local(str(DATASET / config["dataset"][name]))


def inventory_of(split, shards=None):
    """Pieces of the inventory of one split; all of them by default, none of a split that the data do not have."""
    names = PLAN.shards.get(f"scan/{split}", []) if shards is None else shards
    return expand("results/inventory/{split}/{shard}.csv", split=split, shard=names)


def inventory_of_shard(wildcards):
    """The shards of the inventory whose rows are in a shard."""
    shards = shards_within(wildcards.shard, PLAN.shards[f"scan/{wildcards.split}"])
    return inventory_of(wildcards.split, shards)


@cache
def shards_of(size, split, suffix):
    """The shards ("tfrec") or their manifests ("json") of one image size."""
    shards = PLAN.shards[f"shards/{size}/{split}"]
    return expand("results/shards/{size}/{split}/{shard}.{suffix}", size=size, split=split, shard=shards, suffix=suffix)


def model_shards(splits, suffix):
    """The shards of some splits, of the image size that belongs to the wildcard `model`."""
    return lambda wildcards: [
        shard for split in splits for shard in shards_of(config["models"][wildcards.model]["image_size"], split, suffix)
    ]


def files_of(job):
    """Files of a job, by the patterns of its rule."""
    made_by = getattr(rules, job.rule)
    key, built, benchmark, *outputs = (
        Path(apply_wildcards(str(pattern), job.wildcards))
        for pattern in (made_by.input.key, made_by.output.built, made_by.benchmark, *made_by.output)
    )
    return job_keys.Files(key, built, tuple(output for output in outputs if output != built), benchmark)


def refresh_keys():
    """Write the key files and the plan; only the process that builds the DAG does."""
    if workflow.is_main_process:
        PLAN.keys = {str(files_of(job).key): job.key for job in PLAN.jobs}
        PLAN.save(PLAN_FILE)
        job_keys.refresh(
            PLAN,
            files_of,
            results=RESULTS,
            stale=lambda job: job.rule == "example_data" and not DATA_INDEX.written,
        )


def begin():
    """Keep other runs out of this working directory until this one ends, and put the plan where all jobs can read it.

    Only a run that does jobs begins, not a dry run. Jobs on machines that do not see this disk read the plan from the
    bucket.
    """
    if workflow.is_main_process:
        try:
            run_lock.hold(RUN_LOCK)
        except FoldlineError as error:
            raise WorkflowError(str(error)) from None
    PLAN.save(kept(PLAN_FILE))


def begin_with_main_workflow():
    """As a module, begin when the main workflow does: Snakemake passes over the `onstart` of modules.

    An `onstart` behind the module in the main Snakefile takes the place of this one; it has to call `NAME.begin()`.
    """
    if workflow.modifier.is_main_snakefile():
        return
    before = workflow._onstart

    def begin_both(log):
        begin()
        before(log)

    workflow._onstart = begin_both
