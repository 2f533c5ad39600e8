"""Models that a policy leaves out, by whatever name."""

from collections.abc import Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.guards.model import check_model
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from tests.servers.calls import endpoint

ONLY_M = Policy("p", models=Globs(["m"]))
AT_SERVICE = Endpoint("chat.completions", "POST", "/v1/chat/completions", service="svc")


@pytest.mark.parametrize("model", ["other", "alias"])
def test_a_name_that_stands_for_a_forbidden_model_is_403(
    views: Views, call_of: Callable[..., Call], model: str
) -> None:
    with pytest.raises(ApiError) as caught:
        check_model(call_of(ONLY_M, model), ONLY_M, views)
    assert (caught.value.status, caught.value.param) == (403, "model")


def test_what_is_allowed_or_unknown_goes_on_as_it_is(views: Views, call_of: Callable[..., Call]) -> None:
    for policy, model in ((ONLY_M, "m"), (ONLY_M, "unknown"), (Policy("p"), "other")):
        call = call_of(policy, model)
        assert check_model(call, policy, views) is call


def test_a_call_without_a_model_needs_somebody_whom_it_may_ask(views: Views, call_of: Callable[..., Call]) -> None:
    call = call_of(ONLY_M, None, body=b"{}", at=endpoint("embeddings"))
    assert check_model(call, ONLY_M, views) is call
    other = Policy("p", models=Globs(["other"]))  # the instance would answer with its first model
    with pytest.raises(ApiError) as caught:
        check_model(call, other, views)
    assert caught.value.status == 403


@pytest.mark.parametrize(("model", "allowed"), [("m", True), ("other", False), ("unknown", False), (None, True)])
def test_at_a_services_own_path(views: Views, call_of: Callable[..., Call], model: str | None, allowed: bool) -> None:
    body = b"{}" if model is None else b'{"model":"%b"}' % model.encode()
    call = call_of(ONLY_M, model, at=AT_SERVICE, body=body)
    if allowed:
        assert check_model(call, ONLY_M, views) is call
    else:
        with pytest.raises(ApiError) as caught:
            check_model(call, ONLY_M, views)
        assert caught.value.status == 403


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"other","a":1,"model":"m"}', b'{"model":"m","a":1}'),
        (b'{"mod\\u0065l":"other","model":"m"}', b'{"model":"m"}'),
        (b'{ "model":"m","a":"\xc3\xa9" }', b'{ "model":"m","a":"\xc3\xa9" }'),
    ],
)
def test_a_body_names_its_model_once(views: Views, call_of: Callable[..., Call], body: bytes, expected: bytes) -> None:
    assert check_model(call_of(ONLY_M, "m", body=body), ONLY_M, views).request.body == expected


def test_keys_that_are_no_text_are_400(views: Views, call_of: Callable[..., Call]) -> None:
    with pytest.raises(ApiError) as caught:
        check_model(call_of(ONLY_M, "m", body=b'{"model":"m","model":"m","\xff":1}'), ONLY_M, views)
    assert caught.value.status == 400
