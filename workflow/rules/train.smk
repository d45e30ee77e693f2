# One job per model and fold. One thread each: folds side by side use cores better than threads inside of one fold.


rule train_fold:
    input:
        key=key_file("results/keys/train_fold/{model}/fold{fold}.key"),
        shards=model_shards(LABELLED, "tfrec"),
        manifests=model_shards(LABELLED, "json"),
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
        "../../envs/train-cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=1440,
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        settings=settings_of("train_fold"),
    message:
        "Train model {wildcards.model} without fold {wildcards.fold}."
    script:
        "../../scripts/train_fold.py"
