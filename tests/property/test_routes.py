"""Rules against a naive reading of them, and a split's shares against its weights."""

import random
from collections import Counter
from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from nexus.policies.globs import Globs
from nexus.policies.routing.conditions import Condition, Flag, Length, Named
from nexus.policies.routing.rule import Deny, Rule, Use, first_match
from nexus.policies.routing.split import choose
from tests.unit.policies.routing.supposition import Supposition

NAMES = ("a", "b", "c")
conditions = st.one_of(
    st.builds(Named, st.sampled_from(("token", "model", "policy")), st.builds(Globs, st.lists(st.sampled_from(NAMES)))),
    st.builds(Flag, st.sampled_from(("stream", "has_tools", "has_images")), st.booleans()),
    st.builds(lambda n: Length(over=n), st.integers(0, 5)),
    st.builds(lambda n: Length(under=n), st.integers(0, 5)),
)
actions = st.one_of(st.just(Deny("no")), st.just(Use("m")))
calls = st.builds(
    Supposition,
    policy=st.one_of(st.none(), st.sampled_from(NAMES)),
    token=st.sampled_from(NAMES),
    models=st.lists(st.sampled_from(NAMES), max_size=2),
    stream=st.booleans(),
    has_tools=st.booleans(),
    has_images=st.booleans(),
    prompt_tokens=st.one_of(st.none(), st.integers(0, 6)),
    is_bound=st.booleans(),
)


def naively(condition: Condition, call: Supposition) -> bool:
    match condition:
        case Named("token", globs):
            return call.token in globs.patterns
        case Named("policy", globs):
            return call.policy in globs.patterns
        case Named(_, globs):
            return bool(set(call.models) & set(globs.patterns))
        case Flag(key, so):
            return getattr(call, key) == so
        case Length(None, under):
            return call.prompt_tokens is not None and under is not None and call.prompt_tokens < under
        case Length(over, _):
            return call.prompt_tokens is not None and over is not None and call.prompt_tokens > over
    raise AssertionError(condition)


@given(st.lists(st.tuples(st.lists(conditions, max_size=3), actions), max_size=8), calls)
def test_the_first_rule_all_of_whose_conditions_hold_decides(
    drawn: list[tuple[list[Condition], Deny | Use]], call: Supposition
) -> None:
    rules = tuple(Rule(number, tuple(wanted), action) for number, (wanted, action) in enumerate(drawn, 1))
    expected = None
    for rule in rules:
        if call.is_bound and not isinstance(rule.action, Deny):
            continue
        if all(naively(condition, call) for condition in rule.conditions):
            expected = rule
            break
    assert first_match(rules, call) is expected


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=5), st.integers(0, 2**32))
def test_shares_are_those_of_the_weights(drawn: list[float], seed: int) -> None:
    weights = [(f"model-{number}", weight) for number, weight in enumerate(drawn)]
    chance, calls_made = random.Random(seed), 2000
    counted = Counter(choose(weights, chance.randbytes(8)) for _ in range(calls_made))
    for model, weight in weights:
        share = weight / sum(drawn)
        assert abs(counted[model] - calls_made * share) <= 7 * sqrt(calls_made * share * (1 - share)) + 3
