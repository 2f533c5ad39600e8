"""Which rule decides, and what rules say of themselves."""

import pytest

from nexus.policies.globs import Globs
from nexus.policies.routing.conditions import Flag, Named
from nexus.policies.routing.rule import Action, Deny, Rule, Split, Use, Within, first_match
from tests.unit.policies.routing.supposition import Supposition

CHAT = Named("model", Globs(["chat"]))
STREAM = Flag("stream", True)


def test_all_conditions_must_hold_and_the_first_rule_wins() -> None:
    rules = (Rule(1, (CHAT, STREAM), Use("fast")), Rule(2, (CHAT,), Use("good")), Rule(3, (), Deny("no")))
    matched = [
        first_match(rules, asked)
        for asked in (Supposition(stream=True), Supposition(), Supposition(models=("other",), stream=True))
    ]
    assert matched == list(rules)
    assert first_match(rules[:2], Supposition(models=())) is None


def test_a_call_that_names_its_service_can_be_denied_and_not_be_led() -> None:
    asked = Supposition(is_bound=True)
    assert first_match((Rule(1, (CHAT,), Use("m")), Rule(2, (CHAT,), Split((("m", 1),)))), asked) is None
    assert first_match((Rule(1, (CHAT,), Deny("no")),), asked) is not None


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Deny("secret words"), "deny"),
        (Use("long-context"), "use model=long-context"),
        (Use("m", Within(service=Globs(["a", "b"]), region=Globs(["eu*"]))), "use model=m, service=a|b, region=eu*"),
        (Split((("a", 90.0), ("b", 0.5))), "split a=90, b=0.5"),
    ],
)
def test_what_an_action_says_of_itself(action: Action, said: str) -> None:
    assert str(action) == said


def test_all_bounds_must_hold() -> None:
    within = Within(service=Globs(["llm"]), instance=Globs(["gpu*"]), region=Globs(["eu"]))
    assert within.allows("llm", "gpu-1", "eu")
    for names in (("x", "gpu-1", "eu"), ("llm", "cpu", "eu"), ("llm", "gpu-1", "")):
        assert not within.allows(*names)
    assert Within().allows("any", "one", "")
