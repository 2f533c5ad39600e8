"""How long the next attempt has to wait, and for whom."""

from ipaddress import ip_address

from nexus.gateway.users.pauses import ADDRESS, KNOWN, NAME, Pause, forgiven, known_key, name_key, rules
from nexus.store.attempts import Tried

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def pauses(pause: Pause, count: int) -> list[float]:
    tried, now, found = Tried(), 1e6, []
    for _ in range(count):
        tried = pause.after(tried, now)
        found.append(tried.until - now)
        now = tried.until
    return found


def test_after_some_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    assert pauses(NAME, 14) == [0.0] * 5 + [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pauses(ADDRESS, 32)[19:] == [0.0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert max(pauses(KNOWN, 5000)) == 900


def test_a_day_without_any_forgets_them() -> None:
    many = Tried(50, 1e6, 1e6 + 60)
    assert NAME.after(many, 1e6 + 86399).failures == 51
    assert NAME.after(many, 1e6 + 86400) == Tried(1, 1e6 + 86400, 1e6 + 86400)


def test_an_address_that_a_name_knows_is_counted_by_itself() -> None:
    known, unknown = rules("ada", HERE, known=True), rules("ada", HERE, known=False)
    assert not set(known) & set(unknown)
    assert set(unknown) & set(rules("ada", THERE, known=False)) == {name_key("ada")}
    assert not set(known) & set(rules("ada", THERE, known=True))
    assert len(set(unknown) & set(rules("bob", HERE, known=False))) == 1
    assert set(forgiven("ada", HERE, known=True)) == set(known)
    assert forgiven("ada", HERE, known=False) == (name_key("ada"),)


def test_addresses_of_version_6_count_by_their_network_and_unknown_ones_as_one() -> None:
    first, second, other = (ip_address(f"2001:db8::{end}") for end in ("1", "2", "1:0:0:0:1"))
    assert known_key("ada", first) == known_key("ada", second) != known_key("ada", other)
    assert known_key("ada", None) != known_key("ada", HERE)


def test_no_key_tells_what_was_typed() -> None:
    for key in (*rules("hunter2", HERE, known=False), *rules("hunter2", HERE, known=True), known_key("hunter2", HERE)):
        assert "hunter2" not in key
        assert len(key) == 40
