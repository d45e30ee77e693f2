"""The search for garbage is paused in a body, and as it was before afterwards."""

import gc

import pytest
from foldline.io.garbage import garbage_search_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_the_search_is_as_before_afterwards(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError), garbage_search_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
