"""What an instance and a target say of themselves."""

from dataclasses import replace
from math import inf

import pytest

from nexus.contract.card import Card
from nexus.gateway.registry.snapshot import Instance, Snapshot, State, Target
from tests.servers.calls import make_instance
from tests.servers.calls import make_instance as made
from tests.servers.cards import model


@pytest.mark.parametrize(("uses", "asks"), [((), False), (("images.generations",), True)])
def test_a_service_asks_the_gateway_where_its_card_says_so(uses: tuple[str, ...], asks: bool) -> None:
    assert make_instance(uses=uses).asks is asks


def test_one_whose_card_was_never_read_asks_nobody_and_goes_by_its_address() -> None:
    instance = Instance("http://box:8000", "static", State.UNREACHABLE)
    assert (instance.asks, instance.service, instance.label) == (False, "box:8000", "http://box:8000")
    assert instance.data_path == "http://box:8000"


def test_an_instance_goes_by_its_cards_names() -> None:
    instance = make_instance("svc", instance="svc-7", data_url="http://engine:1")
    assert (instance.service, instance.label, instance.data_path) == ("svc", "svc-7", "http://engine:1")


def test_an_instance_itself_is_never_the_engine_behind_it() -> None:
    instance = replace(make_instance("svc", instance="", data_url="http://engine:1"), own_authorization="Basic x")
    own = instance.itself
    assert (own.data_path, own.authorization) == ("http://svc.test:8000", "Basic x")
    assert own.url != instance.url  # its calls are counted apart
    assert (own.service, own.label, own.state, own.card) == ("svc", instance.label, instance.state, instance.card)
    nameless = Instance("http://box:8000", "static", State.STARTING)
    assert (nameless.itself.service, nameless.itself.label) == ("box:8000", "http://box:8000")
    assert nameless.itself.data_path == "http://box:8000"


@pytest.mark.parametrize(
    ("model", "line"), [("m", b"x-nexus-model: m\r\n"), (None, b"")], ids=["with a model", "without"]
)
def test_a_target_is_told_in_header_lines(model: str | None, line: bytes) -> None:
    target = Target(make_instance("svc", instance="svc-7"), model)
    assert target.head == b"x-nexus-service: svc\r\nx-nexus-instance: svc-7\r\n" + line
    assert target.names == (model or "", "svc", "svc-7")


def test_a_target_continues_where_its_own_model_does() -> None:
    instance = make_instance(models=(model("m"), model("goes-on", continuation=True)))
    assert [Target(instance, name).continues for name in ("m", "goes-on", "other", None)] == [False, True, False, False]
    assert not Target(Instance("http://never-read.test", "static"), "goes-on").continues


def test_the_instances_of_a_service_are_found_in_their_order() -> None:
    instances = (make_instance("a"), make_instance("b"), make_instance("a", url="http://second:1"))
    assert Snapshot(instances).of_service("a") == (instances[0], instances[2])
    assert Snapshot(instances).of_service("c") == ()


def test_how_much_an_instance_takes_is_known_where_its_card_says_it() -> None:
    assert make_instance(places=3).places == 3
    silent = {"schema_version": "v1", "service": {"name": "s"}, "capabilities": {"operations": ["ocr"]}}
    assert Instance("http://a", "static", card=Card.model_validate(silent)).places is None
    assert Instance("http://a", "static").places is None


def test_a_seed_goes_with_the_url() -> None:
    assert (
        Instance("http://a", "static").seed == Instance("http://a", "dns").seed != Instance("http://b", "static").seed
    )


class TestRoom:
    """What the queue reads of an instance."""

    def test_as_many_as_the_card_says_and_no_bound_where_it_answers_as_itself(self) -> None:
        instance = made(places=3)
        assert instance.room == 3
        assert instance.itself.room == inf

    def test_who_has_one_model_or_all_loaded_swaps_none(self) -> None:
        assert not made(models=("m", "n")).swaps
        assert not made(models=(model("m", state="unloaded"),)).swaps
        assert not made(models=("m", model("n", state="failed"))).swaps
        assert made(models=("m", model("n", state="unloaded"))).swaps

    def test_a_target_is_cold_where_the_model_alone_is_missing(self) -> None:
        models = tuple(model(state, state=state) for state in ("ready", "unloaded", "loading", "failed"))
        instance = made(models=models)
        assert [Target(instance, one["id"]).is_cold for one in models] == [False, True, True, False]
        assert not Target(instance, None).is_cold
        assert not Target(made(models=models, state=State.STARTING), "unloaded").is_cold
