"""Embed the images of a split with a network that is not trained, so that later steps find images that look alike.

Inputs: shards, manifests (of the split, with images of `embeddings.image_size`).
Outputs: embeddings (a vector per id).
Parameters: embedding_config (`EmbeddingConfig`), accelerator.
"""

import logging
from pathlib import Path

from foldline.errors import counted
from foldline.inference.embedding_config import EmbeddingConfig
from foldline.inference.embeddings import embed_shards
from foldline.inference.predictions import ShardFiles
from foldline.io.embeddings import write_embeddings
from foldline.io.settings import build
from foldline.runtime.devices import use_device
from foldline.step import step
from foldline.tfrecords.open_shards import check_ids, open_shards

logger = logging.getLogger(__name__)


def embed_images(
    shard_files: ShardFiles, embeddings: str | Path, *, config: EmbeddingConfig, accelerator: str, threads: int
) -> None:
    """Write the vectors of all rows of a split, sorted by id.

    Args:
        shard_files: shards of the split.
        embeddings: file to write, see `io.embeddings`.
        config: the network.
        accelerator: see `devices.use_device`.
        threads: CPU threads.

    Raises:
        FoldlineError: the shards do not hold the rows of their manifests, or the weights cannot be had.
    """
    device = use_device(accelerator, threads=threads)
    shards = open_shards(shard_files.paths, shard_files.manifests, image_size=config.image_size)
    ids, vectors = embed_shards(shards, config, device=device, threads=threads)
    check_ids(shards, ids)
    write_embeddings(embeddings, ids, vectors)
    logger.info("%s: %s", counted(len(ids), "vector"), counted(vectors.shape[1], "value"))


if __name__ == "__main__":
    settings = snakemake.params.settings
    with step(snakemake):
        embed_images(
            ShardFiles(snakemake.input.shards, snakemake.input.manifests),
            snakemake.output.embeddings,
            config=build(EmbeddingConfig, settings["embedding_config"]),
            accelerator=settings["accelerator"],
            threads=snakemake.threads,
        )
