"""A split keeps what it has decided, and moves no more than it must."""

from nexus.policies.routing.split import best, choose

WEIGHTS = (("a", 3.0), ("b", 1.0), ("c", 1.0))
KEYS = [f"conversation {number}".encode() for number in range(500)]


def test_a_key_stays_where_it_is_whatever_the_order() -> None:
    assert [choose(WEIGHTS, key) for key in KEYS] == [choose(WEIGHTS[::-1], key) for key in KEYS]


def test_a_model_that_goes_away_moves_only_its_own() -> None:
    left = [one for one in WEIGHTS if one[0] != "b"]
    moved = [key for key in KEYS if choose(WEIGHTS, key) != choose(left, key)]
    assert moved
    assert {choose(WEIGHTS, key) for key in moved} == {"b"}


def test_one_alone_gets_all() -> None:
    assert {choose((("a", 0.001),), key) for key in KEYS} == {"a"}


def test_only_the_best_are_left() -> None:
    ranks = {"a": 2, "b": 1, "c": 1}
    assert best(WEIGHTS, ranks.__getitem__) == [("b", 1.0), ("c", 1.0)]
