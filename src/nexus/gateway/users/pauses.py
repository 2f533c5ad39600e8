"""How guessing is slowed down: after some failures, each further one doubles the pause before the next attempt. Pure.

Laws: nobody is locked out for ever. Whoever guesses at a name from elsewhere cannot keep its user out either: an
address from which a name was signed in with is counted by itself, and by nothing that others do.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nexus.policies.networks import Address
from nexus.store.attempts import Rule, Tried

_FORGOTTEN: Final = 86400.0
"""Seconds after the last failure, when all are forgotten."""


@dataclass(frozen=True, slots=True)
class Pause:
    """`free` failures cost nothing; the pause after the next is a second, and is doubled up to `longest` seconds."""

    free: int
    longest: float

    def after(self, tried: Tried, now: float) -> Tried:
        """What was tried, with one more failure at `now`."""
        failures = 1 if now - tried.at >= _FORGOTTEN else tried.failures + 1
        over = failures - self.free
        pause = min(self.longest, 2.0 ** min(over - 1, 32)) if over > 0 else 0.0
        return Tried(failures, now, now + pause)


NAME: Final = Pause(5, 60.0)
"""Of attempts with one name, from wherever that is not known to it."""

ADDRESS: Final = Pause(20, 900.0)
"""Of attempts from one address, with whatever name."""

KNOWN: Final = Pause(5, 900.0)
"""Of attempts with one name from an address that is known to it."""


def known_key(name: str, address: Address | None) -> str:
    """Where it is written that a name was signed in with from an address."""
    return _key("known", name, _place(address))


def rules(name: str, address: Address | None, *, known: bool) -> Mapping[str, Rule]:
    """What an attempt counts for."""
    if known:
        return {_key("both", name, _place(address)): KNOWN.after}
    return {name_key(name): NAME.after, _key("address", _place(address)): ADDRESS.after}


def forgiven(name: str, address: Address | None, *, known: bool) -> tuple[str, ...]:
    """The counts that a right password sets back. That of the address stays: somebody may have one good name."""
    return (_key("both", name, _place(address)),) if known else (name_key(name),)


def name_key(name: str) -> str:
    """The count of a name."""
    return _key("name", name)


def _place(address: Address | None) -> str:
    """An address of version 6 is one of very many that its owner has: it counts with its network."""
    if address is None:
        return "unknown"
    return str(address) if address.version == 4 else str(int(address) >> 64)


def _key(*words: str) -> str:
    """Nothing that was typed as a name is kept: it may have been a password."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:40]
