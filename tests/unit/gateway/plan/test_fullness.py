"""When a call had better wait for its turn."""

from dataclasses import replace

import pytest

from nexus.contract.card import Card
from nexus.gateway.plan.fullness import is_full
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.values import Plan, Timeouts
from tests.servers.calls import make_instance, make_target


@pytest.mark.parametrize(
    ("busy", "alike", "full"),
    [((0, 0), 2, False), ((2, 1), 2, False), ((2, 2), 2, True), ((3, 2), 2, True), ((2, 0), 1, True)],
)
def test_a_plan_is_full_where_all_instances_of_its_first_model_are(
    busy: tuple[int, int], alike: int, full: bool
) -> None:
    targets = (make_target("http://a", places=2), make_target("http://b", places=2))
    counts = dict(zip(("http://a", "http://b"), busy, strict=True))
    assert is_full(Plan(targets, Timeouts(), alike=alike), counts.__getitem__) is full


def test_who_does_not_say_how_much_it_takes_is_never_full() -> None:
    card = {"schema_version": "v1", "service": {"name": "s"}, "capabilities": {"operations": ["embeddings"]}}
    target = Target(replace(make_instance(), card=Card.model_validate(card)), None)
    assert target.instance.places is None
    assert not is_full(Plan((target,), Timeouts()), lambda url: 1000)
