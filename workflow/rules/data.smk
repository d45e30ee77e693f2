# From raw tables and images to shards, folds and class weights. Memory not noted was below .1 GB in the example.

if EXAMPLE:

    rule example_data:
        input:
            key=key_file("results/keys/example_data.key"),
            pinned=local(ancient(str(PINNED))),
        output:
            train=example_table("train_table"),
            test=example_table("test_table"),
            submission=example_table("sample_submission"),
            built="results/keys/example_data.built",
        log:
            "logs/example_data.log",
        benchmark:
            "benchmarks/example_data.tsv"
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=growing(500),
            runtime=10,
            disk_mb=1000,
        params:
            settings=settings_of("example_data"),
        message:
            "Write the photographs and tables of the embedded example."
        script:
            "../../scripts/example_data.py"


rule scan_images:
    input:
        key=key_file("results/keys/scan_images/{split}/{shard}.key"),
        table=lambda wildcards: table_of(wildcards.split),
    output:
        inventory="results/inventory/{split}/{shard}.csv",
        built="results/keys/scan_images/{split}/{shard}.built",
    log:
        "logs/scan_images/{split}/{shard}.log",
    benchmark:
        "benchmarks/scan_images/{split}/{shard}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        # Measured: .2 GB and 3 s of CPU in the example; a worker holds one decoded image at a time.
        mem_mb=growing(1000),
        runtime=60,
        disk_mb=1000,
    params:
        settings=settings_of("scan_images"),
    message:
        "Look at the {wildcards.split} images of shard {wildcards.shard}."
    script:
        "../../scripts/scan_images.py"


rule audit_leaks:
    input:
        key=key_file("results/keys/audit_leaks/{split}.key"),
        inventory=lambda wildcards: inventory_of(wildcards.split),
        train=lambda wildcards: inventory_of("train") if wildcards.split != "train" else [],
        external=lambda wildcards: inventory_of("external") if wildcards.split == "test" else [],
    output:
        leaks="results/leaks/{split}.csv",
        built="results/keys/audit_leaks/{split}.built",
    log:
        "logs/audit_leaks/{split}.log",
    benchmark:
        "benchmarks/audit_leaks/{split}.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
        disk_mb=1000,
    params:
        settings=settings_of("audit_leaks"),
    message:
        "Look for duplicates that would leak between folds or into the {wildcards.split} split."
    script:
        "../../scripts/audit_leaks.py"


rule make_folds:
    input:
        key=key_file("results/keys/make_folds.key"),
        inventory=inventory_of("train"),
        leaks="results/leaks/train.csv",
        external_inventory=inventory_of("external"),
        external_leaks=expand("results/leaks/{split}.csv", split=LABELED_SPLITS[1:]),
    output:
        folds="results/folds.csv",
        built="results/keys/make_folds.built",
    log:
        "logs/make_folds.log",
    benchmark:
        "benchmarks/make_folds.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
        disk_mb=1000,
    params:
        settings=settings_of("make_folds"),
    message:
        "Give every training row its fold, groups and duplicates together."
    script:
        "../../scripts/make_folds.py"


# A shard knows nothing of folds: readers pick the rows of a fold by their ids. So other folds cut nothing again.
rule shard_records:
    input:
        key=key_file("results/keys/shard_records/{size}/{split}/{shard}.key"),
        inventory=inventory_of_shard,
    output:
        records="results/shards/{size}/{split}/{shard}.tfrec",
        manifest="results/shards/{size}/{split}/{shard}.json",
        built="results/keys/shard_records/{size}/{split}/{shard}.built",
    log:
        "logs/shard_records/{size}/{split}/{shard}.log",
    benchmark:
        "benchmarks/shard_records/{size}/{split}/{shard}.tsv"
    # Before any fold: once folds hold all cores but one, a shard of another size finds no two to run on.
    priority: 2
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        # Measured: .2 GB and 3 s of CPU in the example; a worker holds one decoded image at a time.
        mem_mb=growing(1000),
        runtime=120,
        disk_mb=room_of_shard,
    params:
        settings=settings_of("shard_records"),
    message:
        "Cut shard {wildcards.shard} of the {wildcards.split} images at {wildcards.size} pixels."
    script:
        "../../scripts/shard_records.py"


rule class_weights:
    input:
        key=key_file("results/keys/class_weights/fold{fold}.key"),
        folds="results/folds.csv",
    output:
        weights="results/class_weights/fold{fold}.json",
        built="results/keys/class_weights/fold{fold}.built",
    log:
        "logs/class_weights/fold{fold}.log",
    benchmark:
        "benchmarks/class_weights/fold{fold}.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=10,
        disk_mb=1000,
    params:
        settings=settings_of("class_weights"),
    message:
        "Weigh the labels by the training rows of fold {wildcards.fold}."
    script:
        "../../scripts/class_weights.py"
