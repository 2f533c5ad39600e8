"""What becomes of a call by the rules."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import State
from nexus.gateway.routing.router import Router, told
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from nexus.policies.routing.conditions import At, Condition, Flag, Named
from nexus.policies.routing.hours import Hours, parse_window
from nexus.policies.routing.rule import Action, Deny, Rule, Split, Use, Within
from nexus.policies.token import Bearer
from tests.servers.calls import make_call, make_instance

NOW = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
SNAPSHOT = build(
    [
        make_instance("one", models=("a", "b")),
        make_instance("two", models=("late",), state=State.STARTING),
    ],
    {"nick": "a"},
)


def draws() -> Iterator[bytes]:
    return (number.to_bytes(8) for number in itertools.count())


def router(*rules: tuple[tuple[Condition, ...], Action]) -> Router:
    drawn = draws()
    made = Router(Views(lambda: SNAPSHOT), "eu", lambda: NOW, lambda: next(drawn))
    made.hold(tuple(Rule(number, *rule) for number, rule in enumerate(rules, 1)), {"nick": "a"})
    return made


CHAT = (Named("model", Globs(["chat"])),)


def chat(**fields: Any) -> Call:
    return make_call("chat", b'{"model":"chat","messages":[]}', **fields)


def test_what_no_rule_means_stays_as_it_is() -> None:
    call = make_call("m")
    assert router((CHAT, Use("a"))).lead(call) is call


def test_a_denial_says_what_was_written_and_which_rule_it_is() -> None:
    with pytest.raises(ApiError) as caught:
        router(((), Deny("not for you"))).lead(chat())
    error = caught.value
    assert (error.status, error.message, error.headers()) == (403, "not for you", {"x-nexus-route": "1; deny"})


def test_another_model_is_written_into_the_body_and_what_was_asked_is_remembered() -> None:
    call = router((CHAT, Use("b"))).lead(chat())
    assert (call.model, call.request.body) == ("b", b'{"model":"b","messages":[]}')
    assert call.routed is not None
    assert (call.routed.rule, call.routed.asked, call.routed.model) == (1, "chat", "b")
    assert call.routed.head == b"x-nexus-route: 1; use model=b\r\n"


def test_what_was_led_is_not_led_again() -> None:
    call = router((CHAT, Use("next")), ((Named("model", Globs(["next"])),), Use("b"))).lead(chat())
    assert call.model == "next"


def test_a_bound_alone_leaves_the_body_as_it_is() -> None:
    within = Within(instance=Globs(["gpu"]))
    call = router((CHAT, Use(None, within))).lead(chat())
    assert (call.model, call.request.body) == ("chat", chat().request.body)
    assert call.routed is not None
    assert call.routed.within == within


def test_a_split_goes_by_chance_and_a_conversation_by_itself() -> None:
    led = router((CHAT, Split((("a", 1), ("b", 1)))))
    assert {led.lead(chat()).model for _ in range(50)} == {"a", "b"}
    body = b'{"model":"chat","user":"%d"}'
    sides = [{led.lead(make_call("chat", body % user)).model for _ in range(5)} for user in range(20)]
    assert {len(side) for side in sides} == {1}
    assert set.union(*sides) == {"a", "b"}
    call = led.lead(chat())
    assert call.routed is not None
    assert call.routed.why == f"1; split model={call.model}"


def test_a_split_is_among_those_who_can_answer() -> None:
    led = router((CHAT, Split((("nick", 1), ("late", 1000), ("gone", 1000)))))
    assert {led.lead(chat()).model for _ in range(20)} == {"nick"}
    narrow = Bearer("ada", Policy("p", models=Globs(["late"])))
    assert {led.lead(chat(bearer=narrow)).model for _ in range(20)} == {"late"}
    nobody = Bearer("ada", Policy("p", models=Globs(["none"])))
    assert {led.lead(chat(bearer=nobody)).model for _ in range(20)} <= {"nick", "late", "gone"}


def test_the_hour_and_the_region_are_those_of_the_gateway() -> None:
    night = At(Hours(UTC, (parse_window("22:00-06:00"),)))
    assert router(((night, Named("region", Globs(["eu"]))), Use("b"))).lead(chat()).model == "b"


def test_where_rules_look_into_a_body_each_field_stands_once() -> None:
    call = make_call("b", b'{"tools":[1],"model":"a","tools":[],"model":"b"}')
    led = router(((Flag("has_tools", True),), Deny("no"))).lead(call)
    assert led.request.body == b'{"tools":[],"model":"b"}'
    led = router((CHAT, Deny("no"))).lead(call)
    assert led.request.body.count(b'"model"') == 1


def test_others_may_be_held_at_any_time() -> None:
    led = router(((), Deny("no")))
    led.hold((), {})
    assert led.lead(chat()).routed is None


@pytest.mark.parametrize(
    ("what", "header"),
    [("use model=a/b:c, region=*", "2; use model=a/b:c, region=*"), ("é\r\nx: y%", "2; %C3%A9%0D%0Ax: y%25")],
)
def test_what_is_told_fits_into_a_header(what: str, header: str) -> None:
    assert told(2, what) == header
