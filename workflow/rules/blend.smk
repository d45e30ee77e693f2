# From the predictions of all folds to the OOF table, the submission and the metrics.


rule blend_folds:
    input:
        key=key_file("results/keys/blend_folds.key"),
        oof_predictions=expand("results/predictions/{model}/{member}/oof.parquet", model=MODELS, member=MEMBERS),
        test_predictions=test_predictions(),
        folds=FOLD_TABLES,
    output:
        oof="results/oof.parquet",
        oof_csv="results/oof.csv",
        oof_repeats=OOF_REPEATS,
        submission="results/submission.csv" if HAS_TEST else [],
        recipe="results/blend.json",
        built="results/keys/blend_folds.built",
    log:
        "logs/blend_folds.log",
    benchmark:
        "benchmarks/blend_folds.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("blend_folds"),
        settings=job_arguments("blend_folds"),
    message:
        "Blend the models into {output.oof_csv}" + (" and {output.submission}." if HAS_TEST else ".")
    script:
        "../../scripts/blend_folds.py"


if not HAS_TEST:

    # Its input ends the command with one line; no job of it ever runs.
    rule no_submission:
        input:
            no_submission,
        output:
            "results/submission.csv",
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb_per_attempt(500),
            runtime=10,
            disk_mb=1000,


rule evaluate:
    input:
        key=key_file("results/keys/evaluate.key"),
        oof="results/oof.parquet",
        oof_repeats=OOF_REPEATS,
        recipe="results/blend.json",
        folds="results/folds.csv",
    output:
        metrics="results/metrics.json",
        label_issues="results/label_issues.csv",
        built="results/keys/evaluate.built",
    log:
        "logs/evaluate.log",
    benchmark:
        "benchmarks/evaluate.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("evaluate"),
        settings=job_arguments("evaluate"),
    message:
        "Score the out-of-fold predictions."
    script:
        "../../scripts/evaluate.py"


if config["dataset"]["test_labels"] is not None:

    rule score_test:
        input:
            key=key_file("results/keys/score_test.key"),
            test_predictions=test_predictions(),
            recipe="results/blend.json",
            metrics="results/metrics.json",
        output:
            test_metrics="results/test_metrics.json",
            built="results/keys/score_test.built",
        log:
            "logs/score_test.log",
        benchmark:
            "benchmarks/score_test.tsv"
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb_per_attempt(1000),
            runtime=30,
            disk_mb=1000,
        params:
            job=job_facts("score_test"),
            settings=job_arguments("score_test"),
        message:
            "Score the test predictions."
        script:
            "../../scripts/score_test.py"


if HAS_HOLDOUT:

    rule score_holdout:
        input:
            key=key_file("results/keys/score_holdout.key"),
            holdout_predictions=expand(
                "results/predictions/{model}/{member}/holdout.parquet", model=MODELS, member=PREDICTING
            ),
            folds="results/folds.csv",
            recipe="results/blend.json",
            metrics="results/metrics.json",
        output:
            holdout_metrics="results/holdout_metrics.json",
            built="results/keys/score_holdout.built",
        log:
            "logs/score_holdout.log",
        benchmark:
            "benchmarks/score_holdout.tsv"
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb_per_attempt(1000),
            runtime=30,
            disk_mb=1000,
        params:
            job=job_facts("score_holdout"),
            settings=job_arguments("score_holdout"),
        message:
            "Score the holdout."
        script:
            "../../scripts/score_holdout.py"
