"""A killed sharding process leaves no shard and no processes, and a new run gives the bytes of an unbroken one."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from fixtures.pictures import photograph, saved
from fixtures.project import REPOSITORY
from foldline.io.files import sha256_of_file
from foldline.io.tables import INVENTORY, write_table
from foldline.tfrecords.shards import check_shards
from shard_records import shard_records

COUNT = 200
PATIENCE_SECONDS = 60

SCRIPT = """
import sys
sys.path.insert(0, {scripts!r})
from shard_records import shard_records
shard_records(**{arguments!r})
"""


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, object]:
    """Arguments of a shard of 200 records, some seconds of work."""
    (tmp_path / "images").mkdir()
    data = saved(photograph(600, 800), "PNG")
    (tmp_path / "images" / "picture.png").write_bytes(data)
    row = dict.fromkeys(INVENTORY, 0) | {"group": "g", "target": "1", "perceptual_hash": "", "problem": ""}
    row |= {"path": "picture.png", "sha256": sha256_of_file(tmp_path / "images" / "picture.png")}
    rows = [row | {"id": f"s{number}"} for number in range(COUNT)]
    write_table(pd.DataFrame(rows), tmp_path / "inventory.csv", INVENTORY)
    return {
        "inventory": [str(tmp_path / "inventory.csv")],
        "records": str(tmp_path / "results" / "shard.tfrec"),
        "manifest": str(tmp_path / "results" / "shard.json"),
        "root": str(tmp_path / "images"),
        "threads": 2,
        "split": "train",
        "shard": "00000-of-00001",
        "size": 256,
        "aspect": "crop",
        "jpeg_quality": 95,
        "metadata_columns": [],
        "channels": [],
        "image_feature": "image",
    }


@pytest.mark.faults
@pytest.mark.slow
def test_a_killed_sharding_leaves_nothing_and_is_repeated(arguments: dict[str, object], tmp_path: Path) -> None:
    code = SCRIPT.format(scripts=str(REPOSITORY / "scripts"), arguments=arguments)
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(path.stat().st_size > 100_000 for path in tmp_path.glob("results/.*.part")):
        assert process.poll() is None, "the sharding ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)
    assert not alive
    names = [path.name for path in (tmp_path / "results").iterdir()]
    assert len(names) == 1
    assert names[0].endswith(".split")

    subprocess.run([sys.executable, "-c", code], check=True)
    again = {name: Path(arguments[name]).read_bytes() for name in ("records", "manifest")}
    unbroken = {name: str(tmp_path / "unbroken" / Path(arguments[name]).name) for name in again}
    shard_records(**{**arguments, **unbroken, "threads": 1})
    assert {name: Path(path).read_bytes() for name, path in unbroken.items()} == again
    assert check_shards([arguments["records"]], [arguments["manifest"]])[0]["records"] == COUNT
