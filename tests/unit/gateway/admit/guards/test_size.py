"""Bodies that are too large."""

from collections.abc import Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.guards.size import check_size
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy


def test_a_body_may_be_as_large_as_it_may_and_no_larger(views: Views, call_of: Callable[..., Call]) -> None:
    policy = Policy("p", max_request_bytes=30)
    call = call_of(policy, body=b"x" * 30)
    assert check_size(call, policy, views) is call
    with pytest.raises(ApiError, match="30 bytes") as caught:
        check_size(call_of(policy, body=b"x" * 31), policy, views)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert check_size(call_of(policy, body=b"x" * 31), Policy("p"), views)
