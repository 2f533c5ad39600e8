"""Reads the address of Redis or Valkey. Errors never repeat what was given: it may hold a password."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

_PORT: Final = 6379
_TLS: Final = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_MOST_DATABASES: Final = 65_536


class RedisAddressError(ValueError):
    """The address cannot be used."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where it is, and how one is let in: `password` empty: nothing is asked; `user` empty: the default one."""

    host: str
    port: int = _PORT
    tls: bool = False
    user: str = ""
    password: str = ""
    database: int = 0

    def __repr__(self) -> str:
        return f"RedisAddress({self.host}:{self.port})"


def parse_redis_url(url: str) -> RedisAddress:
    """From `redis://user:password@host:port/database`; `rediss://` is over TLS, `valkey` may stand for `redis`.

    Raises RedisAddressError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RedisAddressError("it is not a URL") from None
    if parts.scheme not in _TLS:
        raise RedisAddressError("it must begin with redis://, rediss:// or valkey://")
    if not parts.hostname or port == 0:
        raise RedisAddressError("it is of the form redis://user:password@host:port/database")
    if parts.query or parts.fragment:
        raise RedisAddressError("it may have no query and no fragment")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and not password:
        raise RedisAddressError("it has a user but no password")
    return RedisAddress(parts.hostname, port or _PORT, _TLS[parts.scheme], user, password, _database(parts.path))


def _database(path: str) -> int:
    number = path.strip("/")
    if not number:
        return 0
    if not (number.isascii() and number.isdecimal()) or int(number) >= _MOST_DATABASES:
        raise RedisAddressError("its database is a number, as in redis://host:6379/0")
    return int(number)
