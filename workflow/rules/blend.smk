# From the predictions of all folds to the OOF table, the submission and the metrics.


rule blend_folds:
    input:
        key=key_file("results/keys/blend_folds.key"),
        oof_predictions=expand("results/predictions/{model}/fold{fold}/oof.parquet", model=MODELS, fold=FOLDS),
        test_predictions=expand("results/predictions/{model}/fold{fold}/test.parquet", model=MODELS, fold=FOLDS),
        folds="results/folds.csv",
    output:
        oof="results/oof.parquet",
        oof_csv="results/oof.csv",
        submission="results/submission.csv",
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
        "Blend the models into {output.oof_csv} and {output.submission}."
    script:
        "../../scripts/blend_folds.py"


rule evaluate:
    input:
        key=key_file("results/keys/evaluate.key"),
        oof="results/oof.parquet",
        folds="results/folds.csv",
    output:
        metrics="results/metrics.json",
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
