"""The programs that Redis runs for the gateways, so that each decision is one step there and one round trip here.

Their text is in `scripts/`; what they share is put before each.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from nexus.gateway.shared.resp import bulk

_SHARED: Final = ("window", "leases")
_KEYS: Final = 3  # requests, tokens, leases


@dataclass(frozen=True, slots=True)
class Script:
    """`text` is Lua, `sha` the name by which Redis knows it once it has seen it."""

    text: bytes
    sha: bytes

    def by_name(self, keys: bytes, *words: bytes | int) -> bytes:
        """The command that runs it; `keys` are those of `keys_of`."""
        return b"*%d\r\n$7\r\nEVALSHA\r\n%b%b%b" % (_KEYS + 3 + len(words), bulk(self.sha, _KEYS), keys, bulk(*words))

    def by_text(self, keys: bytes, *words: bytes | int) -> bytes:
        """The same for a Redis that does not know it."""
        return b"*%d\r\n$4\r\nEVAL\r\n%b%b%b" % (_KEYS + 3 + len(words), bulk(self.text, _KEYS), keys, bulk(*words))


@dataclass(frozen=True, slots=True)
class Scripts:
    """See the comments of each."""

    admit: Script
    spend: Script
    settle: Script
    renew: Script


def load_scripts(clock: str | None = None) -> Scripts:
    """All of them. `clock` is Lua that sets `now`, where it is not to be that of Redis."""
    clock = _read("clock") if clock is None else clock
    shared = "\n".join((clock, *map(_read, _SHARED)))
    return Scripts(*(_script(shared, name) for name in ("admit", "spend", "settle", "renew")))


@lru_cache(maxsize=4096)
def keys_of(name: str) -> bytes:
    """What is kept of a token, as words of a command: its requests, its tokens, its leases.

    The part in braces decides where a Redis Cluster keeps them: together. It is a digest, as a name may have braces.
    """
    tag = hashlib.sha256(name.encode()).hexdigest()[:32]
    return bulk(*(f"nexus:{{{tag}}}:{what}" for what in ("requests", "tokens", "calls")))


def _script(shared: str, name: str) -> Script:
    text = f"{shared}\n{_read(name)}".encode()
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


def _read(name: str) -> str:
    return files("nexus.gateway.shared").joinpath("scripts", f"{name}.lua").read_text(encoding="ascii")
