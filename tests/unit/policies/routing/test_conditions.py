"""Each kind of condition: where it holds, where it does not, and what it says of itself."""

from datetime import UTC
from typing import Any

import pytest

from nexus.policies.globs import Globs
from nexus.policies.routing.conditions import At, Condition, Flag, Header, Length, Named
from nexus.policies.routing.hours import Hours, parse_window
from tests.unit.policies.routing.supposition import Supposition

NIGHT = Hours(UTC, (parse_window("22:00-06:00"),))


@pytest.mark.parametrize(
    ("condition", "holds", "not_holds"),
    [
        (Named("policy", Globs(["ki*"])), {}, {"policy": "adults"}),
        (Named("policy", Globs(["*"])), {}, {"policy": None}),
        (Named("token", Globs(["ada", "bob"])), {"token": "bob"}, {"token": "eve"}),
        (Named("operation", Globs(["chat.*"])), {}, {"operation": "embeddings"}),
        (Named("model", Globs(["qwen*"])), {"models": ("chat", "qwen-7b")}, {"models": ("chat", "llama")}),
        (Named("model", Globs(["*"])), {}, {"models": ()}),
        (Named("service", Globs(["llm"])), {"services": ("x", "llm")}, {"services": ()}),
        (Named("region", Globs(["eu-*"])), {"region": "eu-west"}, {"region": ""}),
        (Header("x-tier", Globs(["go*"])), {"headers": {"x-tier": ("tin", "gold")}}, {"headers": {"x-tier": ("tin",)}}),
        (Header("x-tier", Globs(["*"])), {"headers": {"x-tier": ("",)}}, {}),
        (Flag("stream", True), {"stream": True}, {"stream": False}),
        (Flag("stream", False), {"stream": False}, {"stream": True}),
        (Flag("has_tools", True), {"has_tools": True}, {}),
        (Flag("has_images", False), {}, {"has_images": True}),
        (Length(over=100), {"prompt_tokens": 101}, {"prompt_tokens": 100}),
        (Length(under=100), {"prompt_tokens": 99}, {"prompt_tokens": 100}),
        (Length(over=0), {}, {"prompt_tokens": None}),
        (Length(under=5), {"prompt_tokens": 0}, {"prompt_tokens": None}),
        (At(NIGHT), {}, {"moment": Supposition().moment.replace(hour=12)}),
    ],
)
def test_a_condition(condition: Condition, holds: dict[str, Any], not_holds: dict[str, Any]) -> None:
    assert condition.holds(Supposition(**holds))
    assert not condition.holds(Supposition(**not_holds))


@pytest.mark.parametrize(
    ("condition", "key", "wanted", "found"),
    [
        (Named("model", Globs(["a", "b*"])), "model", "a, b*", "chat"),
        (Header("x-tier", Globs(["gold"])), "header x-tier", "gold", ""),
        (Flag("stream", True), "stream", "true", "false"),
        (Length(over=6000), "prompt_tokens_over", "6000", "100"),
        (Length(under=6), "prompt_tokens_under", "6", "100"),
        (At(NIGHT), "time", "22:00-06:00 UTC", "23:00 mon"),
    ],
)
def test_what_it_says_of_itself(condition: Condition, key: str, wanted: str, found: str) -> None:
    assert (condition.key, condition.wanted, condition.found(Supposition())) == (key, wanted, found)
