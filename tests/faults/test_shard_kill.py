"""A killed sharding process leaves no shard and no processes; a new run writes the same bytes as an undisturbed one."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from fixtures.pictures import photograph, saved
from fixtures.project import REPOSITORY
from foldline.io.files import sha256_of_file
from foldline.io.tables import INVENTORY, write_table
from foldline.tfrecords.open_shards import check_shards
from foldline.tfrecords.shard_config import ShardConfig
from shard_records import Outputs, shard_records

COUNT = 200
TIMEOUT_SECONDS = 60

SCRIPT = """
import sys
sys.path.insert(0, {scripts!r})
from foldline.images.options import ImageOptions
from foldline.tfrecords.shard_config import ShardConfig
from shard_records import Outputs, shard_records
shard_records(**{arguments!r})
"""


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a shard of 200 records, which takes some seconds."""
    (tmp_path / "images").mkdir()
    data = saved(photograph(600, 800), "PNG")
    (tmp_path / "images" / "picture.png").write_bytes(data)
    row = (
        dict.fromkeys(INVENTORY, 0)
        | dict.fromkeys(("contrast", "peak_sample", "white_sample"), 0.0)
        | {"group": "g", "target": "1", "pixels_sha256": "", "perceptual_hash": "", "problem": ""}
    )
    row |= {"path": "picture.png", "sha256": sha256_of_file(tmp_path / "images" / "picture.png")}
    rows = [row | {"id": f"s{number}"} for number in range(COUNT)]
    write_table(pd.DataFrame(rows), tmp_path / "inventory.parquet", INVENTORY)
    return {
        "inventory": [str(tmp_path / "inventory.parquet")],
        "outputs": outputs_in(tmp_path / "results"),
        "split": "train",
        "shard": "00000-of-00001",
        "size": 256,
        "config": ShardConfig(
            root=str(tmp_path / "images"),
            channels=(),
            image_feature="image",
            aspect="crop",
            jpeg_quality=95,
            metadata_columns=(),
            images="picture.png",
        ),
        "threads": 2,
    }


def outputs_in(folder: Path) -> Outputs:
    return Outputs(str(folder / "shard.tfrec"), str(folder / "shard.json"))


@pytest.mark.faults
@pytest.mark.slow
def test_a_killed_process_leaves_no_shard_and_can_be_repeated(arguments: dict[str, Any], tmp_path: Path) -> None:
    code = SCRIPT.format(scripts=str(REPOSITORY / "scripts"), arguments=arguments)
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not any(path.stat().st_size > 100_000 for path in tmp_path.glob("results/.*.part")):
        assert process.poll() is None, "the process ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=TIMEOUT_SECONDS)
    assert not alive
    names = [path.name for path in (tmp_path / "results").iterdir()]
    assert len(names) == 1
    assert names[0].endswith(".part")

    subprocess.run([sys.executable, "-c", code], check=True)
    repeated, undisturbed = arguments["outputs"], outputs_in(tmp_path / "undisturbed")
    shard_records(**{**arguments, "outputs": undisturbed, "threads": 1})
    assert Path(undisturbed.records).read_bytes() == Path(repeated.records).read_bytes()
    assert Path(undisturbed.manifest).read_bytes() == Path(repeated.manifest).read_bytes()
    assert check_shards([repeated.records], [repeated.manifest])[0].records == COUNT
