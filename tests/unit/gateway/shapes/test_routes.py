"""`routes` of nexus.yaml: what each key means, and every mistake told by its line and key."""

from zoneinfo import ZoneInfo

import pytest

from nexus.gateway.config import parse_config
from nexus.gateway.shapes.document import ConfigError
from nexus.policies.globs import Globs
from nexus.policies.periods import zone_of
from nexus.policies.routing.conditions import At, Condition, Flag, Header, Length, Named
from nexus.policies.routing.hours import Hours, Window
from nexus.policies.routing.rule import Action, Deny, Rule, Split, Use, Within


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[(f"{key}: a*", (Named(key, Globs(["a*"])),)) for key in ("policy", "token", "operation", "model", "service")],
        ("model: [a, b]", (Named("model", Globs(["a", "b"])),)),
        ("region: eu west", (Named("region", Globs(["eu west"])),)),
        *[(f"{key}: true", (Flag(key, True),)) for key in ("stream", "has_tools", "has_images")],
        ("stream: false", (Flag("stream", False),)),
        ("prompt_tokens_over: 0", (Length(over=0),)),
        ("prompt_tokens_over: 5, prompt_tokens_under: 9", (Length(over=5), Length(under=9))),
        ("header: {X-Tier: gold, x-b: [c, d]}", (Header("x-tier", Globs(["gold"])), Header("x-b", Globs(["c", "d"])))),
        ("time: 22:00-06:00", (At(Hours(zone_of("UTC"), (Window(1320, 360),))),)),
        ("days: [sat, sun], timezone: Asia/Tokyo", (At(Hours(ZoneInfo("Asia/Tokyo"), days=(5, 6))),)),
        ("has_tools: true, policy: b", (Named("policy", Globs(["b"])), Flag("has_tools", True))),
    ],
)  # fmt: skip
def test_conditions(written: str, meant: tuple[Condition, ...]) -> None:
    assert parse_config(f"routes: [{{when: {{{written}}}, deny: x}}]").routes == (Rule(1, meant, Deny("x")),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('deny: "not for this token"', Deny("not for this token")),
        ("use: {model: m}", Use("m")),
        ("use: {service: a*}", Use(None, Within(service=Globs(["a*"])))),
        (
            "use: {model: m, instance: [gpu 1, b], region: eu}",
            Use("m", Within(instance=Globs(["gpu 1", "b"]), region=Globs(["eu"]))),
        ),
        ("split: {qwen2.5-7b: 90, small: 0.5}", Split((("qwen2.5-7b", 90.0), ("small", 0.5)))),
    ],
)
def test_actions(written: str, meant: Action) -> None:
    assert parse_config(f"routes: [{{{written}}}]").routes == (Rule(1, (), meant),)


def test_rules_are_numbered_as_they_stand() -> None:
    assert [rule.number for rule in parse_config("routes: [{deny: a}, {deny: b}]").routes] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "routes: it should be a valid list"),
        ("[5]", "routes.0: "),
        ("[{}]", "routes.0: it should have one of deny, use, split; it has none"),
        ("[{deny: a}, {deny: a, use: {model: b}}]", "routes.1: it should have one of deny, use, split; it has deny"),
        ("[{deny: a, wen: {}}]", "routes.0.wen: there is no such key; did you mean when?"),
        ("[{deny: a, when: {modl: x}}]", "routes.0.when.modl: there is no such key; did you mean model?"),
        ("[{use: {}}]", "routes.0.use: it should have at least one of model, service, instance, region"),
        ("[{use: {modle: x}}]", "routes.0.use.modle: there is no such key; did you mean model?"),
        ("[{use: {model: [a]}}]", "routes.0.use.model: it should be a valid string"),
        ("[{deny: 5}]", "routes.0.deny: it should be a valid string"),
        ('[{deny: ""}]', "routes.0.deny: "),
        ('[{deny: "a\\nb"}]', "routes.0.deny: "),
        ("[{deny: }]", "routes.0.deny: "),
        ("[{split: {}}]", "routes.0.split: "),
        ("[{split: [a, b]}]", "routes.0.split: "),
        *[(f"[{{split: {{a: {weight}}}}}]", "routes.0.split.a: ") for weight in ("0", "-1", ".nan", "x", "true")],
        *[
            (f"[{{deny: a, when: {{{key}: {value}}}}}]", f"routes.0.when.{key}")
            for key, values in {
                "policy": ("5", "[]", "[5]", "{a: b}", "null", "'a b'"),
                "model": ("true", "''"),
                "stream": ("yes please", "1", "null"),
                "has_tools": ("'true'",),
                "prompt_tokens_over": ("-1", "1.5", "x", "true"),
                "header": ("x", "{a: 5}", "{'a b': c}"),
                "time": ("9", "22:00", "25:00-26:00", "10:00-10:00", "[]"),
                "days": ("monday", "[]", "5"),
                "timezone": ("Mars/Base", "../etc", "5"),
                "region": ("5",),
            }.items()
            for value in values
        ],
        ("[{deny: a, when: {header: {Authorization: x}}}]", "routes.0.when.header.Authorization: no rule is told"),
        ("[{deny: a, when: {timezone: UTC}}]", "routes.0.when: timezone says whose time"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_key_and_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"aliases: {{a: b}}\nroutes: {text}")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("(line 2)")
