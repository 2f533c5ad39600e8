"""In which order equals are asked: by how busy they are for their size. Pure functions over counts.

An instance's size is how many calls it takes at once, as its card says (1 where it does not), and less than that in
the first seconds after it became ready: its caches are cold, and it should not get all calls at once because it has
none yet.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from nexus.gateway.registry.snapshot import Target

InFlight = Callable[[str], int]

WARM_AFTER: Final = 10.0  # seconds after which a new instance counts in full
COLDEST: Final = 0.1  # the part that it counts as in the beginning
MANY: Final = 8
"""Of more than that many only two are compared: nearly as even as comparing all of them, and it costs the same for any
number."""

SPREAD: Final = 1.25
"""How much more than its fair share of the calls, and one besides, an instance may have because their prompts have been
there before."""

_FULL: Final = 1e9
"""Who has no place left comes after all who have, however new they are."""

_MIX: Final = 0x9E3779B1  # 2³² divided by the golden ratio: consecutive numbers fall far apart
_MASK: Final = 0xFFFFFFFF


def size(target: Target, now: float) -> float:
    """How many calls it counts as good for."""
    instance = target.instance
    age = now - instance.since
    places = instance.places or 1
    return places if age >= WARM_AFTER else places * max(age / WARM_AFTER, COLDEST)


def balanced(targets: tuple[Target, ...], in_flight: InFlight, turn: int, now: float) -> tuple[Target, ...]:
    """`targets`, those first that one more call fills least; equals in rotation, so that they take turns."""

    def load(target: Target) -> float:
        calls, places = in_flight(target.instance.url), target.instance.places
        filled = (calls + 1) / (size(target, now) if calls else places or 1)  # a new one that is idle takes its turn
        return filled if places is None or calls < places else filled + _FULL

    start = turn % len(targets)
    if len(targets) > MANY:
        return _better_of_two(targets, load, turn)
    return tuple(sorted(targets[start:] + targets[:start], key=load))


def _better_of_two(targets: tuple[Target, ...], load: Callable[[Target], float], turn: int) -> tuple[Target, ...]:
    """Two by chance, the less busy one first; then all others in rotation."""
    count = len(targets)
    chance = (turn * _MIX) & _MASK
    first = chance % count
    second = (first + 1 + (chance >> 16) % (count - 1)) % count
    pair = (targets[first], targets[second])
    if load(pair[1]) < load(pair[0]):
        pair = (pair[1], pair[0])
    rest = targets[first + 1 :] + targets[:first]
    return pair + tuple(target for target in rest if target is not pair[0] and target is not pair[1])


def favoured(targets: tuple[Target, ...], prefix: int, in_flight: InFlight, now: float) -> Target | None:
    """The one that calls with this prefix belong to (rendezvous hashing); the next one where that has its share.

    None where all are full. An instance that comes or goes changes the place of those prefixes alone that it gets or
    had.
    """
    sizes = sum(size(target, now) for target in targets)
    calls = sum(in_flight(target.instance.url) for target in targets) + 1
    best: Target | None = None
    highest = -1
    for target in targets:
        score = _score(target.instance.seed, prefix)
        if score > highest and in_flight(target.instance.url) < _share(target, calls, sizes, now):
            best, highest = target, score
    return best


def _share(target: Target, calls: int, sizes: float, now: float) -> int:
    """How many of `calls` it may have."""
    share = ceil(SPREAD * calls * size(target, now) / sizes) + 1
    places = target.instance.places
    return share if places is None else min(share, places)


def _score(seed: int, prefix: int) -> int:
    mixed = ((seed ^ prefix) * _MIX) & _MASK
    return ((mixed ^ mixed >> 15) * 0x85EBCA6B) & _MASK
