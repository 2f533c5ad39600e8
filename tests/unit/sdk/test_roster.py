"""Which model answers a request, and what the card says of the models."""

import time
from pathlib import Path

import pytest

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.calls import RunningCall
from nexus.sdk.engine import Found, Model, Tool
from nexus.sdk.models import ModelEntry
from nexus.sdk.roster import Resident, Roster
from nexus.sdk.sources import unresolved


def resident(name: str, state: str = "ready", **fields: object) -> Resident:
    entry = ModelEntry.model_validate({"file": Path("x"), "id": name, **fields})
    return Resident(unresolved(entry), entry, state)  # type: ignore[arg-type]


def roster(*residents: Resident) -> Roster:
    made = Roster(("chat.completions", "completions"))
    made.residents = {one.id: one for one in residents}
    return made


def refused(made: Roster, name: str | None, operation: str = "completions") -> ApiError:
    with pytest.raises(ApiError) as caught:
        made.choose(name, operation)
    return caught.value


def test_by_id_by_alias_and_the_first_ready_one() -> None:
    made = roster(resident("a", "loading"), resident("b", aliases=["small"]), resident("c"))
    assert made.choose("b", "completions").id == "b"
    assert made.choose("small", "completions").id == "b"
    assert made.choose(None, "completions").id == "b"


async def test_a_model_on_demand_is_taken_before_it_is_loaded() -> None:
    lazy = {"load": {"on_demand": True}}
    made = roster(resident("a", "failed", **lazy), resident("b", "unloaded", **lazy), resident("c"))
    assert made.choose(None, "completions").id == "b"
    assert made.choose("b", "completions").id == "b"
    assert refused(made, "a").status == 503
    with pytest.raises(ApiError), made.lease(made.residents["b"], RunningCall()):
        pass
    assert [model.on_demand for model in made.on_card()] == [True, True, False]


def test_an_unknown_model_is_a_404_with_near_misses() -> None:
    made = roster(resident("smollm2-135m"), resident("qwen", operations=["chat.completions"]))
    error = refused(made, "smollm2-153m")
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "'smollm2-135m'" in error.message
    assert refused(made, "qwen").status == 404
    assert made.choose("qwen", "chat.completions").id == "qwen"


@pytest.mark.parametrize("state", ["loading", "unloaded", "failed"])
def test_a_model_that_is_not_ready_is_a_503_to_try_again(state: str) -> None:
    error = refused(roster(resident("a", state)), "a")
    assert (error.status, error.code) == (503, "no_ready_service")
    assert error.retry_after
    assert refused(roster(resident("a", state)), None).status == 503
    assert refused(roster(), None).status == 503


def test_the_implicit_model_is_not_on_the_card() -> None:
    made = roster(resident("a", "failed"))
    made.residents["s"] = Resident(Model("s"), None, "ready")
    assert [(model.id, model.state) for model in made.on_card()] == [("a", "failed")]


def test_tools_are_those_of_models_that_can_be_asked_for() -> None:
    made = roster(resident("a"))
    for name, state in (("b", "ready"), ("c", "unloaded"), ("d", "loading"), ("e", "failed")):
        told = Found(Model(name), state, tools=(Tool(name=f"use_{name}", path="/v1/x"),))  # type: ignore[arg-type]
        made.residents[name] = Resident(told.model, None)
        made.residents[name].follow(told, float("inf"))
    assert [(model, tool.name) for model, tool in made.tools()] == [("b", "use_b"), ("c", "use_c"), ("d", "use_d")]
    made.residents["b"].turn("failed", "it does not fit")
    assert [model for model, _ in made.tools()] == ["c", "d"]


async def test_a_lease_counts_its_call() -> None:
    one = resident("a")
    made = roster(one)
    with made.lease(one, RunningCall()):
        assert len(one.calls) == 1
    assert not one.calls
    one.state = "unloaded"
    with pytest.raises(ApiError), made.lease(one, RunningCall()):
        pass


def told(model: Model, state: str = "unloaded", reason: str = "") -> Found:
    return Found(model, state, reason)  # type: ignore[arg-type]


async def test_a_model_follows_what_the_engine_tells_of_it() -> None:
    one = Resident(Model("a"), None)
    assert (one.on_demand, one.held) == (False, False)
    one.follow(told(Model("a", aliases=("x",), context_length=5), "ready"), time.monotonic())
    assert (one.state, one.on_demand, one.held, one.can_answer) == ("ready", True, True, True)
    since = one.turned
    one.follow(told(Model("a"), "ready"), time.monotonic())
    assert (one.turned, one.model) == (since, Model("a"))
    one.loaded = True
    one.follow(told(Model("a"), "failed", "no memory"), time.monotonic())
    assert (one.state, one.reason, one.can_answer, one.loaded, one.failed_here) == (
        "failed",
        "no memory",
        False,
        True,
        False,
    )
    one.follow(told(Model("a"), "unloaded"), time.monotonic())
    assert (one.state, one.loaded) == ("unloaded", False)
    one.follow(told(Model("a"), "loading"), time.monotonic())
    assert (one.state, one.reason, one.can_answer) == ("loading", "", True)


async def test_what_was_found_out_of_its_files_stays_with_a_model() -> None:
    one = Resident(Model("a", path=Path("/w"), digest="sha256:1"), None)
    one.follow(told(Model("a", context_length=5)), time.monotonic())
    assert one.model == Model("a", path=Path("/w"), digest="sha256:1", context_length=5)
    one.follow(told(Model("a", digest="sha256:2")), time.monotonic())
    assert one.model.digest == "sha256:2"


async def test_what_was_asked_before_a_change_does_not_undo_it() -> None:
    one = Resident(Model("a"), None)
    one.follow(told(Model("a")), time.monotonic())
    asked = time.monotonic()
    one.turn("ready")
    one.follow(told(Model("a")), asked)
    assert one.state == "ready"
    async with one.busy:
        one.follow(told(Model("a")), time.monotonic())
        assert one.state == "ready"
    one.follow(told(Model("a")), time.monotonic())
    assert one.state == "unloaded"


async def test_a_load_that_failed_here_stays_so_until_its_pause_is_over() -> None:
    one = Resident(Model("a"), None)
    one.follow(told(Model("a")), time.monotonic())
    one.turn("failed", "too large")
    one.follow(told(Model("a")), time.monotonic())
    assert (one.state, one.failed_here) == ("failed", True)
    one.follow(told(Model("a"), "ready"), time.monotonic())
    assert one.state == "ready"


async def test_a_told_model_is_leased_in_any_state_that_can_answer() -> None:
    one = Resident(Model("a"), None)
    one.follow(told(Model("a")), time.monotonic())
    made = roster(one)
    with made.lease(one, RunningCall()):
        assert one.calls
    one.turn("failed", "gone")
    with pytest.raises(ApiError, match="gone"), made.lease(one, RunningCall()):
        pass


def test_an_outage_is_told_to_everyone_anew() -> None:
    made = roster(resident("a"))
    made.outage = ApiError(UPSTREAM_ERROR, "nonsense", code="odd")
    first, second = refused(made, "a"), refused(made, None)
    assert first is not second
    for error in (first, second):
        assert (error.status, error.message, error.code, error.retry_after) == (502, "nonsense", "odd", 2)
