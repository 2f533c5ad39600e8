"""Divides calls among models by weight: the same key always comes to the same model, as long as that is among them.

Weighted rendezvous hashing: each model draws, by a hash of the key and its own name, a number that is the larger the
greater its weight; the largest wins. Shares are those of the weights; a model that goes away moves only its own keys.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from typing import Final

Weights = Sequence[tuple[str, float]]

_BITS: Final = 52  # as many as a float has room for, and half a step


def choose(weights: Weights, key: bytes) -> str:
    """The model for a key, of at least one."""
    return max(weights, key=lambda one: one[1] / -log(_uniform(one[0], key)))[0]


def best(weights: Weights, rank: Callable[[str], int]) -> Weights:
    """Those models alone whose rank is the lowest that any has."""
    ranks = {model: rank(model) for model, _ in weights}
    lowest = min(ranks.values())
    return [one for one in weights if ranks[one[0]] == lowest]


def _uniform(model: str, key: bytes) -> float:
    """A number between 0 and 1, neither of them, that looks like chance."""
    drawn = int.from_bytes(blake2b(b"%b\0%b" % (model.encode(), key), digest_size=8).digest()) >> (64 - _BITS)
    return (drawn + 0.5) / (1 << _BITS)
