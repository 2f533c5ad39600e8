"""A policy's defaults bound nothing."""

import pytest

from nexus.policies.budgets import Budget, Budgets
from nexus.policies.globs import Globs
from nexus.policies.networks import parse_network
from nexus.policies.parameters import Parameters, Rules
from nexus.policies.policy import Policy, nothing


def test_a_policy_that_says_nothing_bounds_nothing() -> None:
    policy = Policy("open")
    assert (policy.rpm, policy.tpm, policy.concurrency, policy.max_request_bytes) == (0, 0, 0, 0)
    assert policy.models.everything
    assert not policy.ip_allow
    assert not policy.parameters
    assert not policy.narrows


def test_one_that_leaves_out_a_model_or_an_operation_narrows() -> None:
    assert Policy("a", models=Globs(["x"])).narrows
    assert Policy("a", operations=Globs(["x"])).narrows


def test_who_is_known_no_more_may_ask_for_nothing() -> None:
    assert not nothing().operations.allows("chat.completions")


def test_limits_alone_restrict_nothing_of_what_is_asked_for() -> None:
    networks = (parse_network("::1"),)
    budgets = Budgets(Budget(1))
    assert not Policy("fast", rpm=1, tpm=1, concurrency=1, ip_allow=networks, budgets=budgets).restricts
    rules = Parameters(Rules(max_tokens=1))
    for policy in (
        Policy("a", models=Globs(["x"])),
        Policy("a", operations=Globs(["x"])),
        Policy("a", max_request_bytes=1),
        Policy("a", parameters=rules),
    ):
        assert policy.restricts


def test_what_bounds_how_much_is_to_be_counted() -> None:
    assert not Policy("a", models=Globs(["x"]), max_request_bytes=1).counts
    assert all(Policy("a", **{bound: 1}).counts for bound in ("rpm", "tpm", "concurrency"))


def test_a_priority_says_nothing_of_what_may_be_asked() -> None:
    assert Policy("p").priority == "interactive"
    assert not Policy("p", priority="batch").restricts


@pytest.mark.parametrize(
    ("policy", "free", "metered"),
    [
        (Policy("p"), True, False),
        (Policy("p", ip_allow=(parse_network("::1"),), priority="batch"), True, False),
        (Policy("p", rpm=1), False, True),
        (Policy("p", tpm=1, concurrency=1), False, True),
        (Policy("p", rpm=1, models=Globs(("m",))), False, False),
        (Policy("p", max_request_bytes=1), False, False),
        (Policy("p", budgets=Budgets(Budget(1))), False, False),
    ],
)
def test_whose_calls_need_no_gate_and_whose_no_more_than_a_meter(policy: Policy, free: bool, metered: bool) -> None:
    assert (policy.is_free, policy.is_metered) == (free, metered)
