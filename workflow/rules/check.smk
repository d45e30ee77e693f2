# Before a run, on request only: a few rows through all steps. It has no inputs and no outputs, so that it runs whenever it
# is requested and makes nothing stale.


rule check:
    log:
        "logs/check.log",
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=mem_mb_for_largest_batch(IMAGES_MB + 2000, mb_per_megapixel=4000),
        runtime=60,
        disk_mb=5000,
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        settings=lambda wildcards: check_settings(RUN.plan, pinned=PINNED_TABLE),
        page=PATHS.beside_results("check.html"),
    message:
        "Try a few rows in all steps, estimate time and disk, and write check.html."
    script:
        "../../scripts/check.py"
