"""Addresses in networks."""

import pytest

from nexus.policies.networks import Networks

HOME = Networks(["192.168.0.0/16", "10.1.2.3", "fd00::/8", "::1/128"])


@pytest.mark.parametrize("address", ["192.168.4.5", "10.1.2.3", "fd12::1", "::1", "::ffff:192.168.0.1", "fd00::1%eth0"])
def test_an_address_in_one_of_them(address: str) -> None:
    assert HOME.holds(address)


@pytest.mark.parametrize("address", ["192.169.0.1", "10.1.2.4", "fe80::1%eth0", "::2", "::ffff:8.8.8.8", "", "host"])
def test_an_address_in_none_of_them(address: str) -> None:
    assert not HOME.holds(address)


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "fd00::/129", "home", ""])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Networks([network])


def test_none_at_all_is_false_and_they_compare_by_what_they_hold() -> None:
    assert not Networks([])
    assert HOME
    assert Networks(["10.0.0.0/8"]) == Networks(("10.0.0.0/255.0.0.0",))
    assert hash(Networks(["::1"])) == hash(Networks(["::1/128"]))
