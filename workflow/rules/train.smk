# One job per model and fold, with one thread: folds side by side use cores better than threads within a fold.


rule train_fold:
    input:
        key=key_file("results/keys/train_fold/{model}/fold{fold}.key"),
        shards=model_shards(LABELED_SPLITS, "tfrec"),
        manifests=model_shards(LABELED_SPLITS, "json"),
        folds=lambda wildcards: fold_table(Member.parse(wildcards.fold).repeat),
        class_weights="results/class_weights/fold{fold}.json",
    output:
        weights="results/models/{model}/fold{fold}/weights.weights.h5",
        metadata="results/models/{model}/fold{fold}/metadata.json",
        history="results/models/{model}/fold{fold}/history.csv",
        provenance="results/models/{model}/fold{fold}/provenance.json",
        samples="results/models/{model}/fold{fold}/samples.png",
        events="results/models/{model}/fold{fold}/events.out.tfevents.foldline",
        built="results/keys/train_fold/{model}/fold{fold}.built",
    log:
        "logs/train_fold/{model}/fold{fold}.log",
    benchmark:
        "benchmarks/train_fold/{model}/fold{fold}.tsv"
    # Before any prediction: training is the longest path to the end.
    priority: 1
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        # Measured: 1.3 GB for lite0 at 112 pixels and batches of 32, 6.9 GB for b0 at 224 and 64, 10.3 GB for b3 at
        # 384 and 16.
        mem_mb=mem_mb_for_batches(2000, mb_per_megapixel=4000, batch_size=lambda model: model["batch_size"]),
        # In minutes; the example takes one. A fold that reaches the limit saves a checkpoint and resumes when retried.
        runtime=1440,
        disk_mb=disk_mb_of_shards(LABELED_SPLITS),
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        job=job_facts("train_fold"),
        settings=job_arguments("train_fold"),
    message:
        "Train model {wildcards.model} on all folds but fold {wildcards.fold}."
    script:
        "../../scripts/train_fold.py"


if FINAL_MODELS:

    rule train_final:
        input:
            key=key_file("results/keys/train_final/{model}.key"),
            shards=model_shards(LABELED_SPLITS, "tfrec"),
            manifests=model_shards(LABELED_SPLITS, "json"),
            folds="results/folds.csv",
            class_weights="results/class_weights/final.json",
            # They say for how many epochs the folds were trained.
            provenances=expand("results/models/{{model}}/{member}/provenance.json", member=MEMBERS),
        output:
            weights="results/models/{model}/final/weights.weights.h5",
            metadata="results/models/{model}/final/metadata.json",
            history="results/models/{model}/final/history.csv",
            provenance="results/models/{model}/final/provenance.json",
            events="results/models/{model}/final/events.out.tfevents.foldline",
            built="results/keys/train_final/{model}.built",
        log:
            "logs/train_final/{model}.log",
        benchmark:
            "benchmarks/train_final/{model}.tsv"
        priority: 1
        conda:
            TRAINING_ENVIRONMENT
        threads: 1
        resources:
            mem_mb=mem_mb_for_batches(2000, mb_per_megapixel=4000, batch_size=lambda model: model["batch_size"]),
            runtime=1440,
            disk_mb=disk_mb_of_shards(LABELED_SPLITS),
            gpu=CHIPS["gpu"],
            tpu=CHIPS["tpu"],
        params:
            job=job_facts("train_final"),
            settings=job_arguments("train_final"),
        message:
            "Train model {wildcards.model} on the rows of all folds."
        script:
            "../../scripts/train_final.py"
