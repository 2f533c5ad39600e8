from nexus.contract.card import Card, read_card
from nexus.gateway.api.union import union_card
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, State
from nexus.policies.token import Bearer


def union(*instances, **aliases) -> Card:
    snapshot = build(instances, aliases)
    card = union_card(snapshot, aliases, (), Bearer("ada"), instance="gateway-1", max_request_bytes=1000)
    return read_card(card.model_dump_json().encode())


def test_a_gateway_that_reaches_nobody_still_has_a_valid_card(instance) -> None:
    card = union(instance("gone", state=State.UNREACHABLE, models=[{"id": "m"}]))
    assert (card.service.name, card.instance, card.models) == ("nexus-gateway", "gateway-1", ())
    assert card.limits.max_request_bytes == 1000


def test_it_is_the_union_of_what_can_be_reached(instance) -> None:
    tool = {"name": "greet", "path": "/v1/greet"}
    card = union(
        instance(
            "llm",
            capabilities={"operations": ["chat.completions"], "streaming": True, "max_concurrency": 4},
            models=[{"id": "m", "aliases": ["x"]}],
        ),
        instance(
            "llm-2",
            capabilities={"operations": ["chat.completions", "embeddings"], "max_concurrency": 2},
            models=[{"id": "m"}, {"id": "slow", "state": "loading"}],
            state=State.READY,
        ),
        instance("starting", state=State.STARTING, models=[{"id": "later"}]),
        instance("plain"),
        instance(
            "greeter",
            endpoints=[{"operation": "greeter.greet", "path": "/v1/greet"}, {"operation": "odd", "path": "/odd"}],
            tools=[tool, {"name": "odd", "path": "/odd"}],
        ),
        gpt="m",
    )
    assert card.capabilities.operations == ("chat.completions", "embeddings")
    assert card.capabilities.domains == ("llm", "embedding")
    assert card.capabilities.streaming
    assert card.capabilities.max_concurrency == 9
    assert {(one.operation, one.path) for one in card.endpoints} == {
        ("chat.completions", "/v1/chat/completions"),
        ("embeddings", "/v1/embeddings"),
        ("greeter.greet", "/v1/greet"),
    }
    models = {model.id: model for model in card.models}
    assert set(models) == {"m", "slow", "later", "plain"}
    assert set(models["m"].operations) == {"chat.completions", "embeddings"}
    assert set(models["m"].aliases) == {"x", "gpt"}
    assert (models["m"].state, models["slow"].state, models["later"].state) == ("ready", "loading", "loading")
    assert {tool.name: tool.path for tool in card.tools} == {"greet": "/v1/greet", "odd": "/v1/services/greeter/odd"}


def test_one_gateway_can_stand_behind_another(instance) -> None:
    inner = union(instance("llm", models=[{"id": "m"}]), instance("plain"), gpt="m")
    outer = build([Instance("http://inner:8800", "static", State.READY, inner, data_url="http://inner:8800")], {})
    for name in ("m", "gpt", "plain"):
        assert outer.by_model["chat.completions", name].ready
    assert outer.instances[0].reason == ""
