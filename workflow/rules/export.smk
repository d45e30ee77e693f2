# SavedModels for other programs. No other rule needs them: request them by file name.


rule export_model:
    input:
        key=key_file("results/keys/export_model/{model}/{member}.key"),
        weights="results/models/{model}/{member}/weights.weights.h5",
        metadata="results/models/{model}/{member}/metadata.json",
    output:
        data="results/export/{model}/{member}/variables/variables.data-00000-of-00001",
        index="results/export/{model}/{member}/variables/variables.index",
        fingerprint="results/export/{model}/{member}/fingerprint.pb",
        graph="results/export/{model}/{member}/saved_model.pb",
        built="results/keys/export_model/{model}/{member}.built",
    log:
        "logs/export_model/{model}/{member}.log",
    benchmark:
        "benchmarks/export_model/{model}/{member}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(3000),
        runtime=60,
        disk_mb=2000,
    params:
        job=job_facts("export_model"),
        settings=job_arguments("export_model"),
    message:
        "Export model {wildcards.model} ({wildcards.member}) as {output.graph}."
    script:
        "../../scripts/export_model.py"


rule export_ensemble:
    input:
        key=key_file("results/keys/export_ensemble.key"),
        weights=expand("results/models/{model}/{member}/weights.weights.h5", model=MODELS, member=PREDICTING),
        metadata=expand("results/models/{model}/{member}/metadata.json", model=MODELS, member=PREDICTING),
        recipe="results/blend.json",
    output:
        data="results/export/ensemble/variables/variables.data-00000-of-00001",
        index="results/export/ensemble/variables/variables.index",
        fingerprint="results/export/ensemble/fingerprint.pb",
        graph="results/export/ensemble/saved_model.pb",
        built="results/keys/export_ensemble.built",
    log:
        "logs/export_ensemble.log",
    benchmark:
        "benchmarks/export_ensemble.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(6000),
        runtime=120,
        disk_mb=10000,
    params:
        job=job_facts("export_ensemble"),
        settings=job_arguments("export_ensemble"),
    message:
        "Export all folds of all models as {output.graph}."
    script:
        "../../scripts/export_ensemble.py"
