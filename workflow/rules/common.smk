# Shared by all rules: the completed configuration, the plan of the jobs, and functions that look things up in them.
import logging
import sys
from importlib.util import module_from_spec, spec_from_file_location
from math import ceil
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import apply_wildcards, flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.sourcecache import LocalSourceFile

# The folder of this workflow, not of the main Snakefile, because this may be a module of another workflow.
if not isinstance(workflow.current_basedir, LocalSourceFile):
    raise WorkflowError(
        f"{workflow.current_basedir}: Foldline's steps share a library, which Snakemake does not fetch with single "
        "files; clone the repository and give the path of its workflow/Snakefile"
    )
REPOSITORY = Path(workflow.current_basedir).parents[1]


def load_library(folder):
    """Import the package `foldline` from its folder.

    `sys.path` does not change, because a host workflow may have modules with the names of our scripts.
    """
    if "foldline" not in sys.modules:
        spec = spec_from_file_location("foldline", folder / "__init__.py", submodule_search_locations=[str(folder)])
        sys.modules["foldline"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["foldline"])
    elif (loaded := Path(sys.modules["foldline"].__file__).parent) != folder:
        raise WorkflowError(
            f"{workflow.current_basedir}: the library of another clone of Foldline ({loaded}) is already loaded; load "
            "all modules from one clone"
        )


load_library(REPOSITORY / "scripts" / "foldline")

from foldline.planning import requirements

try:
    from foldline.dataset.labels import SOFTMAX
    from foldline.errors import FoldlineError, problems_error
    from foldline.images.options import BYTES_PER_PIXEL, THUMBNAIL_SIDE, memory_mb
    from foldline.io.result_paths import FINAL, Member, fold_table, member_of
    from foldline.io.system_errors import explained
    from foldline.planning.all_problems import all_problems
    from foldline.planning.check_settings import check_settings, measure_settings
    from foldline.planning.config_files import check_file
    from foldline.planning.config_reader import ConfigError, ConfigSource, read_config
    from foldline.planning.dataset_section import labels_of
    from foldline.planning.dataset_splits import compared_splits, has_test, labeled_splits
    from foldline.planning.fold_plan import has_holdout, members
    from foldline.planning.job_keys import JobFiles
    from foldline.planning.leak_plan import fold_audits, refuses_test_copies
    from foldline.planning.model_section import final_models, predicting_members
    from foldline.planning.pretrained_weights import check_weights
    from foldline.planning.result_owner import OWNER_FILE, ResultOwner
    from foldline.planning.run import Run, RunPaths
except ModuleNotFoundError as error:
    raise WorkflowError(str(requirements.missing_package(error))) from None


# On a full disk Python would print a traceback for each message that Snakemake cannot write to its log.
logging.raiseExceptions = False
# What a user causes, such as a wrong configuration or a full disk, is shown as a message without traceback.
USER_ERRORS = (FoldlineError, OSError, MemoryError)

# A configuration of the command line (--configfile) replaces the default one; they are not merged.
if not workflow.config_settings.configfiles:
    try:
        if not workflow.modifier.skip_configfile:
            check_file("config/config.yaml")
    except USER_ERRORS as error:
        raise WorkflowError(str(explained(error))) from None

    configfile: "config/config.yaml"


# That of this workflow; once the Snakefile is read, `workflow.modifier` is that of the main workflow.
path_modifier = workflow.modifier.path_modifier


def below_prefix(path):
    """Put a path of the working directory below the prefix of the module that this workflow may be."""
    return path_modifier.replace_prefix(str(path))


def pinned_table(config):
    """Path of the table of the example's images and their checksums; None for the user's own data."""
    example = config["dataset"]["example"]
    return REPOSITORY / "workflow" / "examples" / f"{example}.csv" if example else None


PATHS = RunPaths(below_prefix, bucket=workflow.storage_settings.default_storage_prefix or "")

SOURCE = ConfigSource(
    main_config=workflow.modifier_stack[0].globals["config"],
    command_line=workflow.config_settings.config,
    files=workflow.configfiles,
    arguments=workflow.config_settings.config_args or (),
)
SECTION = SOURCE.section_of(config)


def check_owner(config):
    """Refuse to replace the results of another configuration; gives the owner of the new ones."""
    owner = ResultOwner.of(config, files=SOURCE.files, section=SECTION)
    owner.check(PATHS.beside_results(OWNER_FILE), may_replace=config["replace_results"])
    return owner


try:
    if workflow.is_main_process:
        requirements.check_python()
        config = read_config(config, schema_path=REPOSITORY / "config" / "config.schema.yaml", source=SOURCE)
        OWNER = check_owner(config)
        config["checkpoints"]["folder"] = PATHS.checkpoint_folder(config["checkpoints"]["folder"])
        RUN = Run.prepare(
            config,
            PATHS,
            pinned=pinned_table(config),
            storage_settings=workflow.storage_settings,
            storage_registry=workflow.storage_registry,
        )
    else:
        RUN = Run.load(PATHS)
        # A single job is part of the run as it was planned, even if the configuration was edited since then.
        config = RUN.plan.config
except ConfigError as error:
    raise WorkflowError(str(all_problems(error, PATHS, pinned=pinned_table, check=check_owner))) from None
except USER_ERRORS as error:
    raise WorkflowError(str(explained(error))) from None

EXAMPLE = config["dataset"]["example"]
PINNED_TABLE = pinned_table(config)
REPEATS = range(1, config["folds"]["repeats"] + 1)
FOLD_TABLES = [fold_table(repeat) for repeat in REPEATS]
# Out-of-fold tables of the repeats, if there are several.
OOF_REPEATS = expand("results/oof-repeat{repeat}.parquet", repeat=REPEATS) if len(REPEATS) > 1 else []
# Names of the trained networks of each model, one for each fold: fold0, fold1, ...
MEMBERS = [member.name for member in members(RUN.plan.config["folds"])]
# Those that predict the test split and the holdout: the same, or those that were trained on all rows.
PREDICTING = [member.name for member in predicting_members(RUN.plan.config)]
FINAL_MODELS = final_models(config)
MODELS = list(config["models"])
MODELS_WITH_IMAGES = [name for name, model in config["models"].items() if "image" in model["inputs"]]
HAS_TEST = has_test(config["dataset"])
HAS_HOLDOUT = has_holdout(config["folds"])
# Splits whose duplicates decide folds.
FOLD_AUDITS = fold_audits(config["leaks"], config["dataset"])
REFUSES_TEST_COPIES = refuses_test_copies(config["leaks"], config["dataset"])
ONE_CLASS_PER_IMAGE = labels_of(config["dataset"]).activation == SOFTMAX
LABELED_SPLITS = labeled_splits(config["dataset"])
EXTERNAL_SETS = LABELED_SPLITS[1:]
# The rule that makes the vectors of images, if there are any.
EMBEDDING_RULE = RUN.plan.embedding_rule()
AUDITED_SPLITS = [*LABELED_SPLITS, *(["test"] if HAS_TEST else [])]
# More images are audited by a job of the cluster: 2,000 take about a minute of CPU time.
MOST_IMAGES_OF_LOCAL_AUDIT = 2_000
LARGEST_SIZE = max(model["image_size"] for model in config["models"].values())
# Chips that a job of training or prediction requests from the scheduler. "auto" requests none and takes what it finds.
CHIPS = {kind: int(config["accelerator"] == kind) for kind in ("gpu", "tpu")}
# Conda environment of training, prediction and export. Its name is needed before any device is looked for.
TRAINING_ENVIRONMENT = f"../../envs/train-{config['accelerator'].replace('auto', 'cpu')}.yaml"


wildcard_constraints:
    split="|".join([*LABELED_SPLITS, "test"]),
    shard=r"\d+-of-\d+",
    size=r"\d+",
    fold=r"\d+(-repeat\d+)?",
    member="|".join([*MEMBERS, FINAL.name]),
    repeat=r"\d+",
    model="|".join(MODELS),


# Inputs and parameters of rules.


def key_file(path):
    """A key file, on the local disk even if results are in a bucket.

    `local()` would also keep the job on this machine, so the path is only marked as one that has its storage already.
    """
    return flag(RUN.paths.of_planning(path), PATH_MODIFIER_FLAG)


def job_arguments(rule_name):
    """The keyword arguments of a job's script, from the plan."""
    return lambda wildcards: RUN.plan.job_arguments(rule_name, dict(wildcards))


def job_facts(rule_name):
    """The facts of a job for its step (`step.JobFacts`), from the plan: the key travels with the job."""
    return lambda wildcards: RUN.plan.job_facts(rule_name, dict(wildcards))


def example_table(key):
    """A table of the example, named by its key of `dataset`; it is on the local disk, with the images beside it."""
    return local(str(Path(config["dataset"]["root"]) / config["dataset"][key]))


def table_of_split(wildcards):
    """The table of the example. A user's own table is no input, because the keys contain its rows one by one."""
    check_ranges(wildcards)
    return example_table(f"{wildcards.split}_table") if EXAMPLE else []


def inventory(split, shard=None):
    """The shards of the inventory of a split, or those that have the rows of one shard of images."""
    names = RUN.plan.inventory_shards(split, shard=shard)
    return expand("results/inventory/{split}/{shard}.parquet", split=split, shard=names)


def inventories(splits):
    """The shards of the inventories of some splits."""
    return [path for split in splits for path in inventory(split)]


def embeddings(splits):
    """The tables of the vectors of some splits; none if images are not embedded."""
    return expand("results/embeddings/{split}.parquet", split=splits) if EMBEDDING_RULE else []


def thumbnails(splits):
    """The tables of the thumbnails of some splits."""
    return [
        f"results/thumbnails/{split}/thumbnails-{shard}.parquet"
        for split in splits
        for shard in RUN.plan.inventory_shards(split)
    ]


def image_shards(size, splits, suffix):
    """The shards ("tfrec") of some splits, or their manifests ("json"), with images of `size` pixels."""
    return [
        f"results/shards/{size}/{split}/{shard}.{suffix}"
        for split in splits
        for shard in RUN.plan.image_shards(size, split)
    ]


def model_shards(splits, suffix):
    """The shards of some splits, or their manifests, with the image size of the wildcard `model`."""
    return lambda wildcards: image_shards(config["models"][wildcards.model]["image_size"], splits, suffix)


def test_predictions():
    """The test predictions of all models and folds; none if there is no test split."""
    files = expand("results/predictions/{model}/{member}/test.parquet", model=MODELS, member=PREDICTING)
    return files if HAS_TEST else []


def end_with(message):
    """End while the DAG is built; of an exception, Snakemake would print a traceback."""
    logger.error(message)
    sys.exit(1)


def no_submission(wildcards):
    """End with one line, where a submission is requested and there is no test split."""
    end_with(
        "results/submission.csv: dataset.test_table, test_images and test_records are null, so there is no test split "
        "and no submission; request results/report.html, or set these keys"
    )


def check_ranges(wildcards):
    """End if images are to be used of which no sample is known to be white; the rule `measure` finds it.

    Gives no files. What is requested is not known before rules ask for their inputs.
    """
    if RUN.unranged:
        end_with(str(problems_error(RUN.unranged)))
    return []


# Resources of rules.


def mem_mb_per_attempt(mem_mb):
    """Memory in MB that grows by the same amount with each attempt."""
    return lambda wildcards, attempt: mem_mb * attempt


def images_mb(*splits, side=None, times=1):
    """Memory in MB of a step whose two workers each decode the largest image of some splits.

    `side` is that of the picture that it makes of an image; None if images are decoded at full scale. `times` is how
    often it holds an image.
    """
    limit = BYTES_PER_PIXEL * config["dataset"]["max_megapixels"]
    return memory_mb(times * RUN.plan.most_image_mb(splits, limit, side=side), images=2)


def mem_mb_for_images(mem_mb=0, *, split=None, times=1):
    """Memory in MB for two images at a time, and for what is beside them; it grows with each attempt.

    The images of the split of the job are decoded for its size, or for thumbnails; those of `split` at full scale.
    """

    def memory(wildcards, attempt):
        side = None if split else int(wildcards.get("size", THUMBNAIL_SIDE))
        return attempt * (mem_mb + images_mb(split or wildcards.split, side=side, times=times))

    return memory


def mem_mb_for_batches(mem_mb, *, mb_per_megapixel, batch_size):
    """Memory in MB for batches of images on a CPU; it grows by the same amount with each attempt.

    `batch_size` returns the number of images in a batch from the section of the model.
    """

    def memory(wildcards, attempt):
        model = config["models"][wildcards.model]
        megapixels = batch_size(model) * model["image_size"] ** 2 / 1e6
        return ceil(attempt * (mem_mb + mb_per_megapixel * megapixels))

    return memory


def mem_mb_for_largest_batch(mem_mb, *, mb_per_megapixel):
    """Memory in MB for training batches of all models, one model after the other; see `mem_mb_for_batches`."""
    largest = max(model["batch_size"] * model["image_size"] ** 2 for model in config["models"].values())
    return lambda wildcards, attempt: ceil(attempt * (mem_mb + mb_per_megapixel * largest / 1e6))


def disk_mb_of_shards(splits):
    """Disk in MB for the shards of some splits with the image size of the wildcard `model`."""
    return lambda wildcards: RUN.plan.disk_mb(config["models"][wildcards.model]["image_size"], splits)


# Start of a run.


def job_files(job):
    """The files of a job, from the patterns of its rule."""
    job_rule = getattr(rules, job.rule)

    def filled(pattern):
        return Path(apply_wildcards(str(pattern), job.wildcards))

    built = filled(job_rule.output.built)
    outputs = tuple(output for output in map(filled, job_rule.output) if output != built)
    return JobFiles(filled(job_rule.input.key), built, outputs, filled(job_rule.benchmark))


def start_run():
    """Keep other runs out of this working directory, and put the plan where all jobs can read it.

    A run that executes jobs calls this; a dry run does not. A check or a measurement alone leaves everything as a dry
    run does.
    """
    requested = {job.rule for job in workflow.dag.needrun_jobs()}
    only_check = bool(requested) and requested <= {rules.check.rule, rules.measure.rule}
    models = set(MODELS) if only_check and rules.check.rule in requested else models_to_train()
    try:
        if jobs_use_this_python():
            requirements.check_packages(config)
            embeds = EMBEDDING_RULE == "embed_images" and rules.embed_images.rule in requested
            check_weights(config["models"], models, embeddings=config["embeddings"] if embeds else None)
        if only_check:
            RUN.start_check(local=workflow.local_exec)
            return
        RUN.start()
        OWNER.record(PATHS.beside_results(OWNER_FILE))
    except USER_ERRORS as error:
        raise WorkflowError(str(explained(error))) from None


def jobs_use_this_python():
    """Whether jobs run with the Python of this process, or with the same one on machines that share its disk."""
    shared = {str(usage) for usage in workflow.storage_settings.shared_fs_usage}
    return not workflow.deployment_settings.deployment_method and "software-deployment" in shared


def models_to_train():
    """Names of the models that this run trains, on folds or on all rows."""
    trainings = [rules.train_fold.rule, *([rules.train_final.rule] if FINAL_MODELS else [])]
    return {job.wildcards.model for job in workflow.dag.needrun_jobs() if job.rule in trainings}


def start_with_main_workflow():
    """As a module, start when the main workflow does, because Snakemake ignores the `onstart` of modules.

    An `onstart` behind the module in the main Snakefile replaces this one; it has to call `NAME.start_run()`.
    """
    if workflow.modifier.is_main_snakefile():
        return
    main_onstart = workflow._onstart

    def start_both(log):
        start_run()
        main_onstart(log)

    workflow._onstart = start_both
