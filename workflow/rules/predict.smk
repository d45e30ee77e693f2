# Probabilities of every fold's model: for the fold it did not see, and for the test split.
# Memory: measured with 64 rows, .9 GB for lite0 at 112 pixels, 1.7 for b0 at 224, 4.7 for b3 at 384.


rule predict_oof:
    input:
        key=key_file("results/keys/predict_oof/{model}/fold{fold}.key"),
        shards=model_shards(["train"], "tfrec"),
        manifests=model_shards(["train"], "json"),
        folds="results/folds.csv",
        weights="results/models/{model}/fold{fold}/weights.weights.h5",
        metadata="results/models/{model}/fold{fold}/metadata.json",
    output:
        predictions="results/predictions/{model}/fold{fold}/oof.csv",
        built="results/keys/predict_oof/{model}/fold{fold}.built",
    log:
        "logs/predict_oof/{model}/fold{fold}.log",
    benchmark:
        "benchmarks/predict_oof/{model}/fold{fold}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing_with_batches(
            1500, per_megapixel=500, batch_size=lambda model: config["prediction"]["batch_size"]
        ),
        runtime=240,
        disk_mb=room_for(["train"]),
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        settings=settings_of("predict_oof"),
    message:
        "Predict the rows of fold {wildcards.fold} with the model {wildcards.model} that did not see them."
    script:
        "../../scripts/predict_oof.py"


rule predict_test:
    input:
        key=key_file("results/keys/predict_test/{model}/fold{fold}.key"),
        shards=model_shards(["test"], "tfrec"),
        manifests=model_shards(["test"], "json"),
        weights="results/models/{model}/fold{fold}/weights.weights.h5",
        metadata="results/models/{model}/fold{fold}/metadata.json",
    output:
        predictions="results/predictions/{model}/fold{fold}/test.csv",
        built="results/keys/predict_test/{model}/fold{fold}.built",
    log:
        "logs/predict_test/{model}/fold{fold}.log",
    benchmark:
        "benchmarks/predict_test/{model}/fold{fold}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing_with_batches(
            1500, per_megapixel=500, batch_size=lambda model: config["prediction"]["batch_size"]
        ),
        runtime=240,
        disk_mb=room_for(["test"]),
        gpu=CHIPS["gpu"],
        tpu=CHIPS["tpu"],
    params:
        settings=settings_of("predict_test"),
    message:
        "Predict the test split with model {wildcards.model} of fold {wildcards.fold}."
    script:
        "../../scripts/predict_test.py"
