"""What the `Prefer` header asks for, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.intake.prefer import LONGEST_WAIT, respond_async, wait_seconds


@pytest.mark.parametrize(
    ("header", "wanted", "seconds"),
    [
        (b"respond-async", True, 0.0),
        (b"Respond-Async, wait=10", True, 10.0),
        (b"wait=10, respond-async", True, 10.0),
        (b'respond-async,wait = "7"', True, 7.0),
        (b"return=minimal, respond-async; x=1, wait=3; y", True, 3.0),
        (b"wait=600, respond-async", True, 600.0),
        (b"wait=601, respond-async", True, LONGEST_WAIT),
        (b"respond-async, wait=0", True, 0.0),
        (b"respond-async, wait=-1", True, 0.0),
        (b"respond-async, wait=1.5", True, 0.0),
        (b"respond-async, wait=soon", True, 0.0),
        (b"respond-async, wait=", True, 0.0),
        (b"wait=10", False, 10.0),
        (b"", False, 0.0),
        (b"respond-asynchronously", False, 0.0),
        (b"x-respond-async", False, 0.0),
        (b'note="respond-async"', False, 0.0),
        (b"await=10", False, 0.0),
    ],
)
def test_a_wish_is_read(header: bytes, wanted: bool, seconds: float) -> None:
    assert (respond_async(header), wait_seconds(header)) == (wanted, seconds)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from([b"respond-async", b",", b" ", b"wait", b"=", b"9"])).map(b"".join),
    )
)
def test_a_wait_is_bounded_whatever_comes(header: bytes) -> None:
    assert 0.0 <= wait_seconds(header) <= LONGEST_WAIT
    respond_async(header)
