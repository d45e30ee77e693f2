"""The device that was asked for is taken, or its absence is an error."""

import pytest
from foldline.devices import use_device
from foldline.errors import FoldlineError


@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_a_machine_without_accelerators_computes_on_its_cpu(accelerator: str) -> None:
    """Row 1: what is found is taken."""
    device = use_device(accelerator, threads=2)
    assert device.kind == "cpu"
    assert device.strategy.num_replicas_in_sync == 1


@pytest.mark.parametrize("accelerator", ["tpu", "gpu"])
def test_an_absent_accelerator_is_an_error(accelerator: str) -> None:
    """Row 1 corrected: no silent fallback from an accelerator that was asked for."""
    with pytest.raises(FoldlineError, match=f"accelerator is {accelerator}"):
        use_device(accelerator, threads=2)
