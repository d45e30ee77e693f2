# One job per model and fold. One thread each: folds side by side use cores better than threads inside of one fold.


rule train_fold:
    input:
        key=key_file("results/keys/train_fold/{model}/fold{fold}.key"),
        shards=model_shards(LABELED_SPLITS, "tfrec"),
        manifests=model_shards(LABELED_SPLITS, "json"),
        folds="results/folds.csv",
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
    # Before any prediction: a fold that waits is the longest way to the end.
    priority: 1
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        # Measured: 1.3 GB for lite0 at 112 pixels and 32 rows, 6.9 for b0 at 224 and 64, 10.3 for b3 at 384 and 16.
        mem_mb=growing_with_batches(2000, per_megapixel=4000, batch_size=lambda model: model["batch_size"]),
        # In minutes; it took one in the example. A fold that reaches the limit is kept and goes on when it is retried.
        runtime=1440,
        disk_mb=room_for(LABELED_SPLITS),
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        settings=settings_of("train_fold"),
    message:
        "Train model {wildcards.model} without fold {wildcards.fold}."
    script:
        "../../scripts/train_fold.py"
