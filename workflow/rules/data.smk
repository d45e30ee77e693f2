# From raw tables and images to shards, folds and class weights. Jobs without a note on memory took less than 0.1 GB in
# the example.

if EXAMPLE:

    rule example_data:
        input:
            key=key_file("results/keys/example_data.key"),
            pinned=local(ancient(str(PINNED_TABLE))),
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
            mem_mb=mem_mb_per_attempt(500),
            runtime=10,
            disk_mb=1000,
        params:
            job=job_facts("example_data"),
            settings=job_arguments("example_data"),
        message:
            "Write the images and tables of the embedded example."
        script:
            "../../scripts/example_data.py"


rule list_classes:
    input:
        key=key_file("results/keys/list_classes.key"),
    output:
        words="results/classes.json",
        built="results/keys/list_classes.built",
    log:
        "logs/list_classes.log",
    benchmark:
        "benchmarks/list_classes.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(500),
        runtime=10,
        disk_mb=1000,
    params:
        job=job_facts("list_classes"),
        settings=job_arguments("list_classes"),
    message:
        "Write the classes and vocabularies of the run."
    script:
        "../../scripts/list_classes.py"


rule scan_images:
    input:
        key=key_file("results/keys/scan_images/{split}/{shard}.key"),
        table=table_of_split,
    output:
        inventory="results/inventory/{split}/{shard}.parquet",
        thumbnails="results/thumbnails/{split}/thumbnails-{shard}.parquet",
        built="results/keys/scan_images/{split}/{shard}.built",
    log:
        "logs/scan_images/{split}/{shard}.log",
    benchmark:
        "benchmarks/scan_images/{split}/{shard}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        # Measured in the example: 0.2 GB and 3 CPU-s. Each of two workers holds one image at a time.
        mem_mb=mem_mb_for_images(),
        runtime=60,
        disk_mb=1000,
    params:
        job=job_facts("scan_images"),
        settings=job_arguments("scan_images"),
    message:
        "Scan the {wildcards.split} images of shard {wildcards.shard}."
    script:
        "../../scripts/scan_images.py"


rule check_images:
    input:
        key=key_file("results/keys/check_images.key"),
        inventories=inventories([*LABELED_SPLITS, "test"]),
    output:
        images="results/images.csv",
        built="results/keys/check_images.built",
    log:
        "logs/check_images.log",
    benchmark:
        "benchmarks/check_images.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("check_images"),
        settings=job_arguments("check_images"),
    message:
        "Check that all images can be used."
    script:
        "../../scripts/check_images.py"


rule audit_leaks:
    input:
        key=key_file("results/keys/audit_leaks/{split}.key"),
        inventory=lambda wildcards: inventory(wildcards.split),
        others=lambda wildcards: inventories(compared_splits(config["dataset"], wildcards.split)[1:]),
        thumbnails=lambda wildcards: thumbnails(compared_splits(config["dataset"], wildcards.split)),
        embeddings=lambda wildcards: embeddings(compared_splits(config["dataset"], wildcards.split)),
        # It wants images that can be used. `ancient`: another split does not make it stale.
        images=ancient("results/images.csv"),
    output:
        leaks="results/leaks/{split}.parquet",
        leaks_csv="results/leaks/{split}.csv",
        built="results/keys/audit_leaks/{split}.built",
    log:
        "logs/audit_leaks/{split}.log",
    benchmark:
        "benchmarks/audit_leaks/{split}.tsv"
    # Up to this size, a submission takes longer than the job.
    localrule: sum(RUN.plan.rows.values()) <= MOST_IMAGES_OF_LOCAL_AUDIT
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        # The benchmark with 11,415 images, which holds their files too, takes 2.6 GB (tests/benchmark/planted_leaks.py).
        mem_mb=mem_mb_per_attempt(4000),
        runtime=60,
        disk_mb=1000,
    params:
        job=job_facts("audit_leaks"),
        settings=job_arguments("audit_leaks"),
    message:
        "Find duplicates of {wildcards.split} images that would leak between folds or splits."
    script:
        "../../scripts/audit_leaks.py"


rule show_pairs:
    input:
        key=key_file("results/keys/show_pairs.key"),
        leaks=expand("results/leaks/{split}.parquet", split=AUDITED_SPLITS),
        inventories=inventories(AUDITED_SPLITS),
        thumbnails=thumbnails(AUDITED_SPLITS),
    output:
        page="results/leaks/pairs.html",
        built="results/keys/show_pairs.built",
    log:
        "logs/show_pairs.log",
    benchmark:
        "benchmarks/show_pairs.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("show_pairs"),
        settings=job_arguments("show_pairs"),
    message:
        "Show the pairs of duplicates side by side."
    script:
        "../../scripts/show_pairs.py"


rule make_folds:
    input:
        key=key_file("results/keys/make_folds.key"),
        inventory=inventory("train"),
        leaks="results/leaks/train.parquet",
        external_inventory=inventories(EXTERNAL_SETS),
        external_leaks=expand("results/leaks/{split}.parquet", split=EXTERNAL_SETS),
        # Only if training rows that are copies of test images are dropped.
        test_leaks=["results/leaks/test.parquet"] if "test" in FOLD_AUDITS else [],
        # Where copies in the test split are an error, nothing is trained before. `ancient`: other test images leave the
        # folds as they are.
        refused=ancient("results/leaks/test.parquet") if REFUSES_TEST_COPIES else [],
    output:
        folds="results/folds.csv",
        dropped="results/leaks/dropped.csv",
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
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("make_folds"),
        settings=job_arguments("make_folds"),
    message:
        "Assign training rows to folds; groups and duplicates stay together."
    script:
        "../../scripts/make_folds.py"


rule repeat_folds:
    input:
        key=key_file("results/keys/repeat_folds/repeat{repeat}.key"),
        folds="results/folds.csv",
    output:
        repeated="results/folds-repeat{repeat}.csv",
        built="results/keys/repeat_folds/repeat{repeat}.built",
    log:
        "logs/repeat_folds/repeat{repeat}.log",
    benchmark:
        "benchmarks/repeat_folds/repeat{repeat}.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(1000),
        runtime=30,
        disk_mb=1000,
    params:
        job=job_facts("repeat_folds"),
        settings=job_arguments("repeat_folds"),
    message:
        "Assign training rows to the folds of repeat {wildcards.repeat}."
    script:
        "../../scripts/repeat_folds.py"


# Shards do not depend on folds, because readers select the rows of a fold by id: new folds make no shard stale.
rule shard_records:
    input:
        key=key_file("results/keys/shard_records/{size}/{split}/{shard}.key"),
        inventory=lambda wildcards: inventory(wildcards.split, wildcards.shard),
        # Shards wait for the report of all unusable images. `ancient`: images of other shards make none stale.
        images=ancient("results/images.csv"),
    output:
        records="results/shards/{size}/{split}/{shard}.tfrec",
        manifest="results/shards/{size}/{split}/{shard}.json",
        built="results/keys/shard_records/{size}/{split}/{shard}.built",
    log:
        "logs/shard_records/{size}/{split}/{shard}.log",
    benchmark:
        "benchmarks/shard_records/{size}/{split}/{shard}.tsv"
    # Before any fold: once folds occupy all cores but one, no shard finds the two cores that it needs.
    priority: 2
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        # Measured in the example: 0.2 GB and 3 CPU-s. Each of two workers holds one image at a time.
        mem_mb=mem_mb_for_images(),
        runtime=120,
        disk_mb=lambda wildcards: RUN.plan.disk_mb_of_shard(int(wildcards.size), wildcards.split),
    params:
        job=job_facts("shard_records"),
        settings=job_arguments("shard_records"),
    message:
        "Write shard {wildcards.shard} of the {wildcards.split} images at {wildcards.size} pixels."
    script:
        "../../scripts/shard_records.py"


if EMBEDDING_RULE == "embed_images":

    rule embed_images:
        input:
            key=key_file("results/keys/embed_images/{split}.key"),
            shards=lambda wildcards: image_shards(config["embeddings"]["image_size"], [wildcards.split], "tfrec"),
            manifests=lambda wildcards: image_shards(config["embeddings"]["image_size"], [wildcards.split], "json"),
        output:
            embeddings="results/embeddings/{split}.parquet",
            built="results/keys/embed_images/{split}.built",
        log:
            "logs/embed_images/{split}.log",
        benchmark:
            "benchmarks/embed_images/{split}.tsv"
        # Folds wait for it.
        priority: 2
        conda:
            TRAINING_ENVIRONMENT
        threads: 1
        resources:
            # Batches of 64 images, as in prediction.
            mem_mb=mem_mb_per_attempt(1500 + ceil(500 * 64 * config["embeddings"]["image_size"] ** 2 / 1e6)),
            runtime=120,
            disk_mb=lambda wildcards: RUN.plan.disk_mb(config["embeddings"]["image_size"], [wildcards.split]),
            gpu=CHIPS["gpu"],
            tpu=CHIPS["tpu"],
        params:
            job=job_facts("embed_images"),
            settings=job_arguments("embed_images"),
        message:
            "Embed the {wildcards.split} images."
        script:
            "../../scripts/embed_images.py"


if EMBEDDING_RULE == "import_features":

    rule import_features:
        input:
            key=key_file("results/keys/import_features/{split}.key"),
            inventory=lambda wildcards: inventory(wildcards.split),
        output:
            embeddings="results/embeddings/{split}.parquet",
            built="results/keys/import_features/{split}.built",
        log:
            "logs/import_features/{split}.log",
        benchmark:
            "benchmarks/import_features/{split}.tsv"
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb_per_attempt(2000),
            runtime=30,
            disk_mb=1000,
        params:
            job=job_facts("import_features"),
            settings=job_arguments("import_features"),
        message:
            "Take the vectors of the {wildcards.split} images from dataset.features."
        script:
            "../../scripts/import_features.py"


if EMBEDDING_RULE:

    # For people alone: no step reads it.
    rule look_alikes:
        input:
            key=key_file("results/keys/look_alikes.key"),
            inventories=inventories(AUDITED_SPLITS),
            thumbnails=thumbnails(AUDITED_SPLITS),
            embeddings=embeddings(AUDITED_SPLITS),
            leaks=expand("results/leaks/{split}.parquet", split=AUDITED_SPLITS),
            folds="results/folds.csv",
        output:
            look_alikes="results/leaks/look_alikes.csv",
            built="results/keys/look_alikes.built",
        log:
            "logs/look_alikes.log",
        benchmark:
            "benchmarks/look_alikes.tsv"
        localrule: sum(RUN.plan.rows.values()) <= MOST_IMAGES_OF_LOCAL_AUDIT
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            # Local features of an image take 0.1 MB.
            mem_mb=mem_mb_per_attempt(4000),
            runtime=120,
            disk_mb=1000,
        params:
            job=job_facts("look_alikes"),
            settings=job_arguments("look_alikes"),
        message:
            "Rank images that look alike."
        script:
            "../../scripts/look_alikes.py"


rule class_weights:
    input:
        key=key_file("results/keys/class_weights/{member}.key"),
        folds=lambda wildcards: fold_table(member_of(wildcards.member).repeat),
    output:
        weights="results/class_weights/{member}.json",
        built="results/keys/class_weights/{member}.built",
    log:
        "logs/class_weights/{member}.log",
    benchmark:
        "benchmarks/class_weights/{member}.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb_per_attempt(500),
        runtime=10,
        disk_mb=1000,
    params:
        job=job_facts("class_weights"),
        settings=job_arguments("class_weights"),
    message:
        "Compute class weights from the training rows ({wildcards.member})."
    script:
        "../../scripts/class_weights.py"


if HAS_TEST:

    rule detect_drift:
        input:
            key=key_file("results/keys/detect_drift.key"),
            train_inventory=inventory("train"),
            test_inventory=inventory("test"),
            train_thumbnails=thumbnails(["train"]),
            test_thumbnails=thumbnails(["test"]),
            train_leaks="results/leaks/train.parquet",
            test_leaks="results/leaks/test.parquet",
            embeddings=embeddings(["train", "test"]),
        output:
            drift="results/drift.json",
            built="results/keys/detect_drift.built",
        log:
            "logs/detect_drift.log",
        benchmark:
            "benchmarks/detect_drift.tsv"
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb_per_attempt(2000),
            runtime=30,
            disk_mb=1000,
        params:
            job=job_facts("detect_drift"),
            settings=job_arguments("detect_drift"),
        message:
            "Compare the training and the test images."
        script:
            "../../scripts/detect_drift.py"
