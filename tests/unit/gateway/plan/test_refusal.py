"""Why nobody can be asked: each reason has its status and says what would help."""

import pytest
from msgspec.structs import replace

from nexus.contract.errors import ApiError
from nexus.gateway.plan.refusal import refusal
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, Route, Snapshot, State
from nexus.gateway.values import Routed
from nexus.policies.globs import Globs
from nexus.policies.routing.rule import Within
from tests.servers.calls import endpoint, make_call, make_instance
from tests.servers.cards import model


def refused(
    requested: str | None, *instances: Instance, settled: bool = True, operation: str = "chat.completions"
) -> ApiError:
    snapshot = build(instances, {}, settled=settled)
    call = make_call(requested, at=endpoint(operation))
    if requested is None:
        route = snapshot.by_operation.get(operation, Route())
    else:
        route = snapshot.by_model.get((operation, requested), Route())
    assert not route.ready
    return refusal(call, route, snapshot)


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        (State.STARTING, "the model loads", "the model loads"),
        (State.STARTING, "", "starting"),
        (State.UNREACHABLE, "refused", "refused"),
        (State.UNKNOWN, "", "unknown"),
    ],
)
def test_a_known_model_that_is_not_ready_is_503_with_the_reason(state: State, reason: str, told: str) -> None:
    error = refused("m", make_instance(state=state, reason=reason))
    assert (error.status, error.code) == (503, "no_ready_service")
    assert error.message == f"'m' is not ready yet: svc says '{told}'."
    assert error.headers() == {"retry-after": "2"}


def test_a_model_that_still_loads_at_a_ready_service_is_503_too() -> None:
    error = refused("m", make_instance(models=(model("m", state="loading"),)))
    assert error.code == "no_ready_service"
    assert error.message == "'m' is not ready yet: svc says 'no model that can answer is there'."


def test_without_a_model_the_operation_is_named() -> None:
    error = refused(None, make_instance(operations=("moderations",), state=State.STARTING), operation="moderations")
    assert error.message.startswith("'moderations' is not ready yet")


def test_while_services_are_still_being_asked_an_unknown_model_may_come() -> None:
    error = refused("other", make_instance(), settled=False)
    assert (error.status, error.retry_after) == (503, 2.0)
    assert "has just started" in error.message


def test_once_settled_an_unknown_model_is_404_and_names_the_near_misses() -> None:
    names = ("llama-3-8b", "llama-3-70b", "qwen")
    error = refused("llama-3-8", make_instance(models=names))
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert error.message == "The model 'llama-3-8' does not exist. Did you mean 'llama-3-8b' or 'llama-3-70b'?"


def test_without_near_misses_it_lists_what_there_is() -> None:
    error = refused("zzzzz", make_instance(models=("aa", "bb")))
    assert error.message == "The model 'zzzzz' does not exist. Models for chat.completions: aa, bb."


def test_the_list_is_bounded() -> None:
    error = refused("zzzzz", make_instance(models=tuple(f"a{number:02}" for number in range(40))))
    assert error.message.endswith("a09 ….")


def test_a_model_of_another_operation_is_404_and_says_what_it_does() -> None:
    error = refused("m", make_instance(operations=("embeddings", "rerank")))
    assert error.status == 404
    assert error.message == "The model 'm' does not do chat.completions; it does embeddings, rerank."


def test_another_operations_models_are_not_offered() -> None:
    error = refused("other", make_instance(operations=("embeddings",)))
    assert error.message == "The model 'other' does not exist. No model for chat.completions is there."


def test_with_no_service_at_all_it_is_503_as_one_may_come() -> None:
    for requested in ("m", None):
        error = refused(requested)
        assert (error.status, error.code) == (503, "no_ready_service")
        assert error.message == "No service for chat.completions is there."


def test_an_operation_nobody_has_is_503_where_no_model_is_named() -> None:
    error = refused(None, make_instance(), operation="moderations")
    assert (error.status, error.message) == (503, "No service for moderations is there.")


def test_a_hostile_model_name_is_only_quoted() -> None:
    error = refusal(make_call("a\r\nb'\"" + "x" * 10_000), Route(), Snapshot())
    assert "\n" not in error.message


def test_where_a_rule_leaves_nobody_it_is_told_that_this_is_why() -> None:
    call = replace(make_call("m"), routed=Routed(2, "2; use region=eu", within=Within(region=Globs(["eu"]))))
    error = refusal(call, Route(), build([make_instance(models=("m",))], {}))
    assert (error.status, error.code) == (503, "no_ready_service")
    assert error.message == "Nobody is there of those to whom the rule leads: 2; use region=eu."
