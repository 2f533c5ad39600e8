"""Who is asked first of several equals, by load, size, age and prompt."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nexus.gateway.plan.balance import COLDEST, MANY, SPREAD, WARM_AFTER, balanced, favoured, size
from nexus.gateway.registry.snapshot import Target
from tests.servers.calls import make_target

NOW = 1000.0
UNHURRIED = settings(deadline=None)


def targets(*places: int) -> tuple[Target, ...]:
    return tuple(make_target(f"http://{number}.test", places=count) for number, count in enumerate(places))


def firsts(given: tuple[Target, ...], calls: int, now: float = NOW) -> Counter[str]:
    """How many of so many calls, none of which ends, each instance gets."""
    busy: Counter[str] = Counter()
    for turn in range(calls):
        busy[balanced(given, busy.__getitem__, turn, now)[0].instance.url] += 1
    return busy


@UNHURRIED
@given(count=st.integers(1, MANY), rounds=st.integers(1, 5), start=st.integers(0, 1000))
def test_idle_targets_are_first_equally_often(count: int, rounds: int, start: int) -> None:
    given = targets(*[4] * count)
    seen = Counter(balanced(given, lambda url: 0, start + turn, NOW)[0] for turn in range(count * rounds))
    assert set(seen.values()) == {rounds}


@UNHURRIED
@given(loads=st.lists(st.integers(0, 5), min_size=1, max_size=20), turn=st.integers(0, 10_000))
def test_every_target_stays_and_the_first_two_are_in_order(loads: list[int], turn: int) -> None:
    given = targets(*[1] * len(loads))
    by_url = {target.instance.url: load for target, load in zip(given, loads, strict=True)}
    ordered = balanced(given, by_url.__getitem__, turn, NOW)
    assert sorted(map(id, ordered)) == sorted(map(id, given))
    compared = [by_url[target.instance.url] for target in (ordered if len(loads) <= MANY else ordered[:2])]
    assert compared == sorted(compared)


@UNHURRIED
@given(places=st.lists(st.integers(1, 64), min_size=1, max_size=MANY), rounds=st.integers(1, 3))
def test_nobody_gets_more_than_its_places_as_long_as_others_have_some(places: list[int], rounds: int) -> None:
    given = targets(*places)
    busy = firsts(given, sum(places) * rounds)
    assert [busy[target.instance.url] for target in given] == [count * rounds for count in places]


@UNHURRIED
@given(count=st.integers(MANY + 1, 40), seed=st.integers(0, 10_000))
def test_of_many_the_busiest_is_never_far_ahead(count: int, seed: int) -> None:
    busy: Counter[str] = Counter()
    given = targets(*[1] * count)
    for turn in range(seed, seed + count * 10):
        busy[balanced(given, busy.__getitem__, turn, NOW)[0].instance.url] += 1
    assert max(busy.values()) <= 15  # ten each, if all were compared


def test_a_new_instance_is_given_more_and_more() -> None:
    old, new = targets(1000, 1000)
    for age, part in ((0.0, COLDEST), (WARM_AFTER / 2, 0.5), (WARM_AFTER, 1.0), (1e9, 1.0)):
        young = Target(replace(new.instance, since=NOW - age), "m")
        assert size(young, NOW) == 1000 * part
        busy = firsts((old, young), 110)
        assert abs(busy[new.instance.url] - 110 * part / (1 + part)) <= 1


@UNHURRIED
@given(prefix=st.integers(0, 2**32 - 1), count=st.integers(2, 12), gone=st.integers(0, 11))
def test_only_the_prefixes_of_an_instance_that_went_move(prefix: int, count: int, gone: int) -> None:
    given = targets(*[8] * count)
    home = favoured(given, prefix, lambda url: 0, NOW)
    rest = tuple(target for number, target in enumerate(given) if number != gone % count)
    moved = favoured(rest, prefix, lambda url: 0, NOW)
    assert home is not None
    assert moved is home or home not in rest


def test_prefixes_are_spread() -> None:
    given = targets(8, 8, 8, 8)
    homes: Counter[Target | None] = Counter()
    for prefix in range(0, 2**32, 2**32 // 4000 + 1):
        homes[favoured(given, prefix, lambda url: 0, NOW)] += 1
    assert min(homes[target] for target in given) > 700


@UNHURRIED
@given(places=st.lists(st.integers(1, 32), min_size=2, max_size=6), calls=st.integers(1, 60))
def test_one_prefix_alone_fills_nobody_beyond_its_share(places: list[int], calls: int) -> None:
    given = targets(*places)
    busy: Counter[str] = Counter()
    for number in range(1, min(calls, sum(places)) + 1):
        home = favoured(given, 7, busy.__getitem__, NOW)
        assert home is not None
        busy[home.instance.url] += 1
        share = SPREAD * number * (home.instance.places or 1) / sum(places)
        assert busy[home.instance.url] <= min(share + 2, home.instance.places or 1)


def test_where_all_are_full_nobody_is_favoured() -> None:
    assert favoured(targets(2, 2), 7, lambda url: 2, NOW) is None


def test_who_has_a_place_comes_before_who_has_none_however_new_it_is() -> None:
    old, new = targets(4, 4)
    young = Target(replace(new.instance, since=NOW), "m")
    for busy, first in ((3, old), (4, young)):
        assert balanced((old, young), {"http://0.test": busy, "http://1.test": 1}.__getitem__, 0, NOW)[0] is first


def test_a_new_one_that_is_idle_takes_its_turn() -> None:
    old, new = targets(4, 4)
    young = Target(replace(new.instance, since=NOW), "m")
    firsts_of_all = [balanced((old, young), lambda url: 0, turn, NOW)[0] for turn in range(4)]
    assert firsts_of_all.count(young) == 2
