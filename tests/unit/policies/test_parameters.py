"""Which rules hold for which models."""

from nexus.policies.globs import Globs
from nexus.policies.parameters import Overrides, Parameters, Rules

BASE = Rules(100, {"a": 1}, ("b",), "words")
SMALL = Overrides(Globs(["s*"]), max_tokens=0, forbid=())
TINY = Overrides(Globs(["*y"]), max_tokens=5)
PARAMETERS = Parameters(BASE, (SMALL, TINY))


def test_an_override_changes_what_it_says_and_nothing_else() -> None:
    assert PARAMETERS.rules_for(["small"]) == [Rules(0, {"a": 1}, (), "words")]


def test_later_overrides_come_on_top() -> None:
    assert PARAMETERS.rules_for(["shy"]) == [Rules(5, {"a": 1}, (), "words")]


def test_several_models_have_the_rules_of_each_once() -> None:
    assert PARAMETERS.rules_for(["x", "small", "z", "sm"]) == [BASE, Rules(0, {"a": 1}, (), "words")]


def test_without_models_those_for_all_hold() -> None:
    assert PARAMETERS.rules_for([]) == [BASE]


def test_no_rules_are_false() -> None:
    assert not Rules()
    assert not Parameters()
    assert Rules(force={"a": None})
    assert Parameters(overrides=(TINY,))
