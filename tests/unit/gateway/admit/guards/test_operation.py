"""Operations that a policy leaves out."""

from collections.abc import Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.guards.operation import check_operation
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy


def test_an_operation_that_is_not_meant_is_403(views: Views, call_of: Callable[..., Call]) -> None:
    policy = Policy("p", operations=Globs(["embed*"]))
    with pytest.raises(ApiError, match=r"'ada' may not ask for chat\.completions") as caught:
        check_operation(call_of(policy), policy, views)
    assert (caught.value.status, caught.value.code) == (403, "permission_denied")
    policy = Policy("p", operations=Globs(["chat.*"]))
    call = call_of(policy)
    assert check_operation(call, policy, views) is call
