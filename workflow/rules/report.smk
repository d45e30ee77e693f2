# One page about the data, the training and the scores; `snakemake --report` shows the same figures.


rule render_report:
    input:
        key=key_file("results/keys/render_report.key"),
        oof="results/oof.parquet",
        metrics="results/metrics.json",
        test_metrics=[] if config["dataset"]["test_labels"] is None else ["results/test_metrics.json"],
        holdout_metrics=["results/holdout_metrics.json"] if HAS_HOLDOUT else [],
        drift=["results/drift.json"] if HAS_TEST else [],
        recipe="results/blend.json",
        folds="results/folds.csv",
        inventory=inventory("train"),
        train_leaks="results/leaks/train.parquet",
        test_leaks=["results/leaks/test.parquet"] if HAS_TEST else [],
        external_leaks=expand("results/leaks/{split}.parquet", split=EXTERNAL_SETS),
        look_alikes=["results/leaks/look_alikes.csv"] if EMBEDDING_RULE else [],
        class_weights=expand("results/class_weights/{member}.json", member=MEMBERS),
        histories=expand("results/models/{model}/{member}/history.csv", model=MODELS, member=MEMBERS),
        samples=expand("results/models/{model}/{member}/samples.png", model=MODELS_WITH_IMAGES, member=MEMBERS[0]),
        provenances=expand("results/models/{model}/{member}/provenance.json", model=MODELS, member=MEMBERS),
        shards=image_shards(LARGEST_SIZE, ["train"], "tfrec"),
        manifests=image_shards(LARGEST_SIZE, ["train"], "json"),
    output:
        report="results/report.html",
        training_images=report(
            "results/figures/training_images.png", caption="../report/training_images.rst", category="Data"
        ),
        class_balance=report(
            "results/figures/class_balance.png", caption="../report/class_balance.rst", category="Data"
        ),
        folds=report("results/figures/folds.png", caption="../report/folds.rst", category="Data"),
        learning_curves=report(
            "results/figures/learning_curves.png", caption="../report/learning_curves.rst", category="Training"
        ),
        architectures=report(
            "results/figures/architectures.png", caption="../report/architectures.rst", category="Training"
        ),
        augmented_samples=report(
            "results/figures/augmented_samples.png", caption="../report/augmented_samples.rst", category="Training"
        ),
        roc=report("results/figures/roc.png", caption="../report/roc.rst", category="Scores"),
        precision_recall=report(
            "results/figures/precision_recall.png", caption="../report/precision_recall.rst", category="Scores"
        ),
        score_histogram=report(
            "results/figures/score_histogram.png", caption="../report/score_histogram.rst", category="Scores"
        ),
        calibration=report("results/figures/calibration.png", caption="../report/calibration.rst", category="Scores"),
        confusion=(
            report("results/figures/confusion.png", caption="../report/confusion.rst", category="Scores")
            if ONE_CLASS_PER_IMAGE
            else []
        ),
        most_wrong=report("results/figures/most_wrong.png", caption="../report/most_wrong.rst", category="Scores"),
        built="results/keys/render_report.built",
    log:
        "logs/render_report.log",
    benchmark:
        "benchmarks/render_report.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        # Measured in the example: 0.2 GB and 4 CPU-s.
        mem_mb=mem_mb_per_attempt(2000),
        runtime=30,
        disk_mb=RUN.plan.disk_mb(LARGEST_SIZE, ["train"]),
    params:
        job=job_facts("render_report"),
        settings=job_arguments("render_report"),
    message:
        "Render {output.report}."
    script:
        "../../scripts/render_report.py"
