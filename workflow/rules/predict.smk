# Probabilities from the model of every fold, for the held-out fold and for the test split.
# The rows of a fold and the test split are two jobs of one network, so that each is stale by itself: a new test set
# predicts no held-out row again. A job for both would save a start (`tests/benchmark/prediction.py`), but would have to
# keep the outputs that are still right. Snakemake deletes the outputs of a job before it starts; those with `update()` it
# keeps, but not in a bucket. If the plan chose between a rule for both and a rule for each, the next run would find other
# rules for the same files, and run them again wherever the default profile is not used.
# Memory measured with batches of 64: 0.9 GB for lite0 at 112 pixels, 1.7 GB for b0 at 224, 4.7 GB for b3 at 384.


rule predict_oof:
    input:
        key=key_file("results/keys/predict_oof/{model}/fold{fold}.key"),
        shards=model_shards(["train"], "tfrec"),
        manifests=model_shards(["train"], "json"),
        folds=lambda wildcards: fold_table(Member.parse(wildcards.fold).repeat),
        weights="results/models/{model}/fold{fold}/weights.weights.h5",
        metadata="results/models/{model}/fold{fold}/metadata.json",
    output:
        predictions="results/predictions/{model}/fold{fold}/oof.parquet",
        built="results/keys/predict_oof/{model}/fold{fold}.built",
    log:
        "logs/predict_oof/{model}/fold{fold}.log",
    benchmark:
        "benchmarks/predict_oof/{model}/fold{fold}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=mem_mb_for_batches(
            1500, mb_per_megapixel=500, batch_size=lambda model: config["prediction"]["batch_size"]
        ),
        runtime=240,
        disk_mb=disk_mb_of_shards(["train"]),
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        job=job_facts("predict_oof"),
        settings=job_arguments("predict_oof"),
    message:
        "Predict the held-out fold {wildcards.fold} with model {wildcards.model}."
    script:
        "../../scripts/predict_oof.py"


if HAS_HOLDOUT:

    rule predict_holdout:
        input:
            key=key_file("results/keys/predict_holdout/{model}/{member}.key"),
            shards=model_shards(["train"], "tfrec"),
            manifests=model_shards(["train"], "json"),
            folds="results/folds.csv",
            weights="results/models/{model}/{member}/weights.weights.h5",
            metadata="results/models/{model}/{member}/metadata.json",
        output:
            predictions="results/predictions/{model}/{member}/holdout.parquet",
            built="results/keys/predict_holdout/{model}/{member}.built",
        log:
            "logs/predict_holdout/{model}/{member}.log",
        benchmark:
            "benchmarks/predict_holdout/{model}/{member}.tsv"
        conda:
            TRAINING_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=mem_mb_for_batches(
                1500, mb_per_megapixel=500, batch_size=lambda model: config["prediction"]["batch_size"]
            ),
            runtime=240,
            disk_mb=disk_mb_of_shards(["train"]),
            gpu=CHIPS["gpu"],
            tpu=CHIPS["tpu"],
        params:
            job=job_facts("predict_holdout"),
            settings=job_arguments("predict_holdout"),
        message:
            "Predict the holdout with model {wildcards.model} ({wildcards.member})."
        script:
            "../../scripts/predict_holdout.py"


if HAS_TEST:

    rule predict_test:
        input:
            key=key_file("results/keys/predict_test/{model}/{member}.key"),
            shards=model_shards(["test"], "tfrec"),
            manifests=model_shards(["test"], "json"),
            weights="results/models/{model}/{member}/weights.weights.h5",
            metadata="results/models/{model}/{member}/metadata.json",
        output:
            predictions="results/predictions/{model}/{member}/test.parquet",
            built="results/keys/predict_test/{model}/{member}.built",
        log:
            "logs/predict_test/{model}/{member}.log",
        benchmark:
            "benchmarks/predict_test/{model}/{member}.tsv"
        conda:
            TRAINING_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=mem_mb_for_batches(
                1500, mb_per_megapixel=500, batch_size=lambda model: config["prediction"]["batch_size"]
            ),
            runtime=240,
            disk_mb=disk_mb_of_shards(["test"]),
            gpu=CHIPS["gpu"],
            tpu=CHIPS["tpu"],
        params:
            job=job_facts("predict_test"),
            settings=job_arguments("predict_test"),
        message:
            "Predict the test split with model {wildcards.model} ({wildcards.member})."
        script:
            "../../scripts/predict_test.py"
