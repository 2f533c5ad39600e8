"""What of a snapshot a policy lets be seen."""

from dataclasses import replace

from nexus.contract.card import Tool
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.views import Views, narrowed
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from tests.servers.calls import make_instance
from tests.servers.cards import model

SNAPSHOT = build(
    [
        make_instance(
            "llm",
            operations=("chat.completions", "embeddings"),
            models=[model("small", aliases=["tiny"]), model("vectors", operations=["embeddings"])],
        ),
        make_instance("big", models=("big",)),
        make_instance("plain", operations=("ocr",), models=()),
    ],
    {"nick": "big", "little": "small"},
)


def view(models: tuple[str, ...] = ("*",), operations: tuple[str, ...] = ("*",)) -> Snapshot:
    return narrowed(SNAPSHOT, Policy("p", models=Globs(models), operations=Globs(operations)))


def test_names_lead_to_what_they_stand_for_or_are_not_there() -> None:
    seen = view(("small",))
    names = ("small", "tiny", "little")
    assert set(seen.by_model) == {(one, name) for one in ("chat.completions", "embeddings") for name in names}
    assert seen.names["chat.completions"] == ("little", "small", "tiny")
    assert set(seen.by_operation) == {"chat.completions", "embeddings"}


def test_an_alias_allows_nothing_by_itself() -> None:
    assert not view(("nick", "tiny")).by_model


def test_operations_that_are_left_out() -> None:
    seen = view(operations=("chat.*",))
    assert {operation for operation, _ in seen.by_model} == {"chat.completions"}
    assert set(seen.by_operation) == {"chat.completions"}
    assert not seen.models_narrowed


def test_a_service_without_models_goes_by_its_own_name() -> None:
    assert ("ocr", "plain") in view(("plain",)).by_model
    assert ("ocr", "plain") not in view(("small",)).by_model


def test_a_model_that_is_left_out_leaves_no_service_without_models_behind() -> None:
    """What such a service could do would be open to who may use none of its models."""
    seen = view(("small",))
    (llm,) = seen.instances
    assert llm.card is not None
    assert [one.id for one in llm.card.models] == ["small"]
    seen = view(("vectors",))
    assert set(seen.by_model) == {("embeddings", "vectors")}
    assert not seen.by_operation  # the instance would answer with its first model


def test_cards_tell_of_what_is_left() -> None:
    (llm,) = view(("vectors",)).instances
    assert llm.card is not None
    assert [one.operation for one in llm.card.all_endpoints()] == ["embeddings"]
    assert llm.card.capabilities.operations == ("embeddings",)


def test_a_view_is_made_once_a_snapshot_and_policy() -> None:
    current = [SNAPSHOT]
    views = Views(lambda: current[0])
    policy, edited = Policy("p", models=Globs(["small"])), Policy("p", models=Globs(["big"]))
    assert views.of(None) is views.of(Policy("open")) is SNAPSHOT
    first = views.of(policy)
    assert views.of(policy) is first
    assert ("chat.completions", "big") in views.of(edited).by_model
    current[0] = build([], {})
    assert not views.of(edited).by_model


def test_tools_that_are_left_out_are_on_no_card() -> None:
    plain = make_instance("llm", models=("small",))
    assert plain.card is not None
    tools = [Tool(name=name, path="/v1/chat/completions") for name in ("speak", "search")]
    snapshot = build([replace(plain, card=plain.card.model_copy(update={"tools": tuple(tools)}))], {})
    for patterns, left in ((("sp*",), ["speak"]), (("*",), ["speak", "search"]), (("none",), [])):
        (seen,) = narrowed(snapshot, Policy("p", tools=Globs(patterns))).instances
        assert seen.card is not None
        assert [tool.name for tool in seen.card.tools] == left
