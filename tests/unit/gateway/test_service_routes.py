"""Who is asked under a service's own name, and which of its instances a verb on a model goes to."""

from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.plan.targets import plan
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, State
from nexus.gateway.service_routes import of_service
from nexus.gateway.values import Call, Timeouts
from tests.servers.calls import make_call, make_instance
from tests.servers.cards import model


def planned(call: Call, *instances: Instance) -> list[tuple[str, str | None]]:
    """The plan's targets, each as its instance's host and the model's name there."""
    made = plan(call, build(instances, {}), lambda url: 0, 0, Timeouts())
    return [(target.instance.url[7:].partition(".")[0], target.model) for target in made.targets]


OWN = Endpoint("chat.completions", "POST", "/v1/chat/completions", service="two")
PAGE = Endpoint("service.page", "GET", "/health", service="two", itself=True)


def test_a_services_own_route_asks_that_service_alone() -> None:
    given = [make_instance("one"), make_instance("two"), make_instance("three")]
    assert planned(make_call("m", at=OWN), *given) == [("two", "m")]
    assert planned(make_call(None, at=PAGE), *given) == [("two", None)]


def test_a_services_own_route_takes_models_that_nobody_knows() -> None:
    assert planned(make_call("secret", at=OWN), make_instance("one"), make_instance("two")) == [("two", None)]


def test_a_services_own_route_asks_the_instances_that_have_the_model() -> None:
    with_it = make_instance("two", url="http://b.test:8000", models=("m", "n"))
    assert planned(make_call("n", at=OWN), make_instance("two"), with_it) == [("b", "n")]


def test_a_services_own_route_with_nobody_ready_is_503() -> None:
    given = [make_instance("one"), make_instance("two", state=State.STARTING, reason="it loads")]
    for at, requested in ((OWN, "m"), (PAGE, None), (OWN, "unknown")):
        with pytest.raises(ApiError, match="two says 'it loads'") as caught:
            planned(make_call(requested, at=at), *given)
        assert caught.value.status == 503


def test_a_page_is_the_services_own_also_where_calls_go_to_the_engine_behind() -> None:
    direct = make_instance("two", data_url="http://engine:1", authorization=None, places=1)
    (target,) = plan(make_call(None, at=PAGE), build([direct], {}), lambda url: 0, 0, Timeouts()).targets
    assert target.instance.data_path == "http://two.test:8000"
    (target,) = plan(make_call("m", at=OWN), build([direct], {}), lambda url: 0, 0, Timeouts()).targets
    assert target.instance.data_path == "http://engine:1"


def verb(word: str, name: str = "m") -> Endpoint:
    return Endpoint(f"models.{word}", "POST", f"/v1/models/{name}/{word}", service="svc", itself=True, model=name)


HAS = (model("m", aliases=["short"]),)
HAS_NOT_LOADED = (model("m", aliases=["short"], state="unloaded"),)
LACKS = (model("other"),)


def asked(at: Endpoint, **instances: dict[str, Any]) -> tuple[str, str]:
    """The instances that may be asked and the others, each by a letter."""
    made = [make_instance("svc", url=f"http://{name}.test", **fields) for name, fields in instances.items()]
    route = of_service(make_call(None, b"", at=at), "svc", build(made, {}))
    assert all(target.instance.data_path == target.instance.url.removesuffix("#itself") for target in route.ready)
    assert all(target.model is None for target in route.ready)
    return (
        "".join(target.instance.url[7] for target in route.ready),
        "".join(target.instance.url[7] for target in route.waiting),
    )


@pytest.mark.parametrize(
    ("at", "first"),
    [
        (verb("load"), "b"),
        (verb("load", "short"), "b"),
        (verb("unload"), "a"),
        (verb("pull"), "c"),
        (verb("show"), "ab"),
        (verb("delete"), "ab"),
        (verb("load", "unknown"), "abc"),
        (verb("pull", "unknown"), "abc"),
        (verb("delete", "unknown"), "abc"),
    ],
)
def test_a_verb_goes_where_it_changes_something_or_where_the_model_is(at: Endpoint, first: str) -> None:
    given = {"a": {"models": HAS}, "b": {"models": HAS_NOT_LOADED}, "c": {"models": LACKS}}
    others = "".join(letter for letter in "abc" if letter not in first)
    assert asked(at, **given) == (first, others)


def test_a_verb_that_has_been_done_everywhere_is_asked_for_wherever_the_model_is() -> None:
    assert asked(verb("load"), a={"models": HAS}, b={"models": HAS}, c={"models": LACKS}) == ("ab", "c")
    assert asked(verb("unload"), a={"models": HAS_NOT_LOADED}, c={"models": LACKS}) == ("a", "c")
    assert asked(verb("pull"), a={"models": HAS}, b={"models": HAS}) == ("ab", "")


def test_one_that_is_not_ready_for_want_of_a_model_can_load_it() -> None:
    waiting = {"models": HAS_NOT_LOADED, "state": State.STARTING}
    assert asked(verb("load"), a=waiting) == ("a", "")
    assert asked(verb("load"), a=waiting, b={"models": HAS}) == ("a", "b")
    assert asked(verb("load"), a=waiting, b={"models": HAS_NOT_LOADED}) == ("b", "a")
    assert asked(verb("pull"), a={"models": LACKS, "state": State.STARTING}, b={"models": LACKS}) == ("b", "a")


@pytest.mark.parametrize("state", [State.UNREACHABLE, State.INVALID, State.UNKNOWN])
def test_one_that_does_not_live_is_not_asked(state: State) -> None:
    assert asked(verb("load"), a={"models": HAS, "state": state}) == ("", "a")
    with pytest.raises(ApiError) as caught:
        planned(make_call(None, b"", at=verb("load")), make_instance("svc", state=state))
    assert (caught.value.status, caught.value.code) == (503, "no_ready_service")
