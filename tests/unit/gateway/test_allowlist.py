import pytest

from nexus.gateway.allowlist import CLOSED, Allowlist
from nexus.policies.networks import LOOPBACK, parse_network

TEN = (parse_network("10.0.0.0/8"),)


@pytest.mark.parametrize("path", ["/v1/admin", "/v1/admin/", "/v1/admin/tokens/x", "/metrics"])
def test_admin_and_metrics_are_closed_by_default(path: str) -> None:
    assert Allowlist(CLOSED).networks_for(path) == LOOPBACK


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/administer", "/v1/adminx/y", "/metricsx", "/V1/admin", "/x/v1/admin", ""]
)
def test_a_prefix_ends_where_a_part_of_the_path_ends(path: str) -> None:
    assert Allowlist(CLOSED).networks_for(path) is None


def test_the_longest_prefix_wins_however_they_are_ordered() -> None:
    rules = {"/": TEN, "/v1/chat/completions": (), "/v1": LOOPBACK}
    for order in (rules, dict(reversed(rules.items()))):
        allowlist = Allowlist(order)
        assert allowlist.networks_for("/health") == TEN
        assert allowlist.networks_for("/v1/chat") == LOOPBACK
        assert allowlist.networks_for("/v1/chat/completions") == ()


def test_the_file_replaces_a_prefix_and_leaves_the_others_closed() -> None:
    allowlist = Allowlist.over(CLOSED, {"/metrics": TEN, "/": TEN})
    assert allowlist.networks_for("/metrics") == TEN
    assert allowlist.networks_for("/v1/admin/x") == LOOPBACK
    assert allowlist.networks_for("/v1/models") == TEN
