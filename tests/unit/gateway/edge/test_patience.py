"""What a client says of how long it waits."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.patience import read_patience


def test_who_says_nothing_waits_as_long_as_the_gateway() -> None:
    assert read_patience({b"accept": b"*/*"}) == (None, None)


def test_seconds_and_a_time() -> None:
    assert read_patience({b"x-nexus-timeout": b"1.5", b"x-nexus-deadline": b"1700000000.25"}) == (1.5, 1_700_000_000.25)


@pytest.mark.parametrize("value", [b"", b"soon", b"0", b"-1", b"nan", b"inf", b"1,2", b"\xff"])
@pytest.mark.parametrize("name", ["x-nexus-timeout", "x-nexus-deadline"])
def test_what_is_no_number_of_seconds_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(ApiError, match="should be") as caught:
        read_patience({name.encode(): value})
    assert (caught.value.status, caught.value.param) == (400, name)
