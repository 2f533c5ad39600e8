"""What is loaded is found by a call's model; what is not is said to be unloaded."""

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call, Model
from nexus.sdk.loaded import Loaded


def test_by_the_calls_model() -> None:
    loaded = Loaded[str]()
    loaded["m"] = "the model"
    call = Call("id", Model("m"), {})
    assert loaded.of(call) == "the model"
    loaded.pop("m")
    with pytest.raises(ApiError, match="m is not loaded") as caught:
        loaded.of(call)
    assert (caught.value.status, caught.value.retry_after) == (503, 1)
