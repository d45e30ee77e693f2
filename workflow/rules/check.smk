# Before a run, on request only: a few rows through all steps, and the samples of all training images. These rules have no
# input files and no outputs, so that they run whenever they are requested and make nothing stale.


rule check:
    input:
        check_ranges,
    log:
        "logs/check.log",
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=mem_mb_for_largest_batch(2000 + images_mb(*RUN.plan.image_mb), mb_per_megapixel=4000),
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


rule measure:
    log:
        "logs/measure.log",
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        # Each of two workers holds one image at a time, whose samples it counts as numbers of 32 or 64 bits.
        mem_mb=mem_mb_for_images(1000, split="train", times=3),
        runtime=240,
        disk_mb=1000,
    params:
        settings=lambda wildcards: measure_settings(RUN.plan, pinned=PINNED_TABLE),
    message:
        "Measure the samples of all training images, and say what dataset.intensity should be."
    script:
        "../../scripts/measure.py"
