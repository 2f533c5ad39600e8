"""Whose circuit it is that an outcome concerns, and when it is forgotten."""

from dataclasses import replace

import pytest

from nexus.gateway.health.circuit import Failure, State
from nexus.gateway.health.health import LONGEST_PAUSE, Health
from nexus.gateway.registry.snapshot import Target
from tests.servers.calls import make_target
from tests.servers.clock import Clock

A, OTHER_MODEL, OTHER = make_target("http://a", "m"), make_target("http://a", "n"), make_target("http://b", "m")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def allowed(health: Health, now: float) -> list[bool]:
    return [health.allows(target, now) for target in (A, OTHER_MODEL, OTHER)]


def test_a_refused_connection_concerns_the_whole_instance(health: Health, clock: Clock) -> None:
    health.failed(A, Failure.REFUSED)
    assert allowed(health, clock.now) == [False, False, True]
    assert list(health.tripped()) == [("http://a", "*", State.OPEN)]
    assert (health.state(A.instance), health.state(OTHER.instance)) == ("open", "closed")


def test_an_error_concerns_its_model_alone(health: Health, clock: Clock) -> None:
    for _ in range(5):
        health.failed(A, Failure.STATUS)
    assert allowed(health, clock.now) == [False, True, True]
    assert list(health.tripped()) == [("http://a", "m", State.OPEN)]


def test_an_answer_closes_both_and_leaves_nothing(health: Health, clock: Clock) -> None:
    for _ in range(5):
        health.failed(A, Failure.STATUS)
    health.failed(OTHER_MODEL, Failure.REFUSED)
    assert health.troubled
    health.ok(A)
    assert not health.troubled
    assert allowed(health, clock.now) == [True, True, True]


def test_a_success_between_them_and_failures_are_not_in_a_row(health: Health, clock: Clock) -> None:
    for _ in range(20):
        for _ in range(4):
            health.failed(A, Failure.STATUS)
        health.ok(A)
    assert health.allows(A, clock.now)


def test_a_pause_outlives_an_answer_and_is_bounded(health: Health, clock: Clock) -> None:
    health.paused(A, 3600)
    health.ok(A)
    assert health.wait(A, clock.now) == LONGEST_PAUSE
    assert list(health.tripped()) == []
    clock.now += LONGEST_PAUSE
    assert health.allows(A, clock.now)
    health.ok(A)
    assert not health.troubled


def test_one_probe_at_a_time(health: Health, clock: Clock) -> None:
    health.failed(A, Failure.REFUSED)
    clock.now += 1
    assert health.allows(A, clock.now)
    health.asked(A)
    assert not health.allows(A, clock.now)
    assert not health.allows(OTHER_MODEL, clock.now)
    health.ok(A)
    assert health.allows(A, clock.now)


def test_what_the_prober_found_well_again_may_be_tried_at_once(health: Health, clock: Clock) -> None:
    health.failed(A, Failure.REFUSED)
    back = Target(replace(A.instance, since=clock.now + 0.1), "m")
    clock.now += 0.2
    assert health.allows(back, clock.now)
    assert health.state(back.instance) == "half_open"
    behind = Target(replace(back.instance, data_url="http://engine"), "m")
    assert not health.allows(behind, clock.now)  # probes go elsewhere
    health.asked(back)
    health.failed(back, Failure.REFUSED)
    assert health.wait(back, clock.now) == 2


def test_the_circuits_of_those_that_are_gone_are_forgotten(health: Health, clock: Clock) -> None:
    for number in range(100):
        health.failed(make_target(f"http://gone-{number}"), Failure.REFUSED)
    clock.now += 601
    health.failed(A, Failure.REFUSED)
    assert len(list(health.tripped())) == 1


def test_metrics_tell_of_nobody_who_is_gone_for_long(health: Health, clock: Clock) -> None:
    health.failed(make_target("http://gone.test"), Failure.REFUSED)
    assert [url for url, _, _ in health.tripped()] == ["http://gone.test"]
    clock.now += 601
    assert list(health.tripped()) == []
    assert not health.troubled
