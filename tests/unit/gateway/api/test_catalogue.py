from nexus.gateway.api.catalogue import catalogue
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import State


def entries(*instances, **aliases):
    return catalogue(build(instances, aliases), aliases)


def test_one_model_at_several_instances_is_one_entry(instance) -> None:
    both = {"capabilities": {"operations": ["chat.completions", "completions"]}}
    models = entries(
        instance("a", models=[{"id": "m", "operations": ["completions"], "state": "loading"}], **both),
        instance("b", models=[{"id": "m", "context_length": 4096, "aliases": ["x"]}], **both),
    )
    assert list(models) == ["m", "x"]
    assert models["m"].state == "ready"
    assert models["m"].operations == ("completions", "chat.completions")
    assert models["m"].services == ("a", "b")
    assert models["m"].context_length == 4096
    assert models["m"].aliases == ("x",)
    assert models["x"].alias_of == "m"


def test_aliases_are_entries_where_they_lead_somewhere(instance) -> None:
    one = instance("a", models=[{"id": "m", "aliases": ["x"]}, {"id": "n"}])
    models = entries(one, gpt="m", mini="x", nowhere="unknown", n="m", service="a")
    assert {name: entry.alias_of for name, entry in models.items()} == {
        "m": None,
        "n": "m",
        "x": "m",
        "gpt": "m",
        "mini": "m",
    }


def test_an_alias_that_leads_nowhere_hides_the_model_as_it_does_in_requests(instance) -> None:
    assert list(entries(instance("a", models=[{"id": "m"}]), m="unknown")) == []


def test_a_service_without_models_goes_by_its_name(instance) -> None:
    greeter = instance("greeter", endpoints=[{"operation": "greeter.greet", "path": "/v1/greet"}])
    assert list(entries(instance("plain"), greeter)) == ["plain"]


def test_models_are_listed_with_their_states(instance) -> None:
    models = entries(
        instance("a", state=State.STARTING, models=[{"id": "starting"}]),
        instance("b", models=[{"id": "failed", "state": "failed"}]),
        instance("c", state=State.UNREACHABLE, models=[{"id": "gone"}]),
        instance("d", state=State.INVALID, models=[{"id": "broken"}]),
        instance("e", state=State.UNKNOWN, models=[{"id": "promised"}]),
    )
    states = {name: entry.state for name, entry in models.items()}
    assert states == {"starting": "starting", "failed": "failed", "promised": "starting"}


def test_a_model_that_nothing_can_be_asked_of_is_not_listed(instance) -> None:
    assert entries(instance("a", models=[{"id": "m", "operations": ["embeddings"]}])) == {}


def test_a_model_that_failed_is_not_said_to_start(instance) -> None:
    models = entries(instance("a", state=State.STARTING, models=[{"id": "m", "state": "failed"}]))
    assert models["m"].state == "failed"
