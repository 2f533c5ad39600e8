"""From where a path is answered: `ip_allowlist` of nexus.yaml, and what holds where it says nothing."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, PlainValidator

from nexus.policies.networks import LOOPBACK, Network, Networks, parse_network

ADMIN: Final = "/v1/admin"
METRICS: Final = "/metrics"


class Allowlist:
    """Networks by path prefix; the longest prefix of a path is the one that counts.

    A prefix covers itself and what is below it: `/v1/admin` covers `/v1/admin/x` and not `/v1/administer`; `/` covers
    everything. No networks at all: nobody.
    """

    def __init__(self, rules: Mapping[str, Iterable[Network]]) -> None:
        longest_first = sorted(rules, key=len, reverse=True)
        self._rules = tuple((prefix, _below(prefix), tuple(rules[prefix])) for prefix in longest_first)

    def networks_for(self, path: str) -> Networks | None:
        """The networks from which `path` is answered; None where that is everywhere."""
        for prefix, below, networks in self._rules:
            if path.startswith(below) or path == prefix:
                return networks
        return None

    @classmethod
    def over(cls, base: Mapping[str, Networks], rules: Mapping[str, Networks]) -> Self:
        """What the file says, over what holds anyway: a prefix of the file takes the place of the same one only."""
        return cls({**base, **rules})


CLOSED: Final[Mapping[str, Networks]] = {ADMIN: LOOPBACK, METRICS: LOOPBACK}
"""What is for this machine alone unless somebody says otherwise."""


def _below(prefix: str) -> str:
    return prefix if prefix == "/" else f"{prefix}/"


# The file's shape


def _prefix(text: str) -> str:
    if not text.startswith("/") or "//" in text or not text.isascii() or set(text) & set("?#%*\\ "):
        raise ValueError(f"{text!r} is not the beginning of a path, such as /v1/admin")
    if len(text) > 1 and text.endswith("/"):
        raise ValueError(f"it covers what is below it as well: leave out the slash at the end of {text}")
    return text


def _network(value: object) -> Network:
    if not isinstance(value, str):
        raise ValueError("it should be a network such as 10.0.0.0/8, in quotes")  # noqa: TRY004 - pydantic's
    return parse_network(value)


Prefix = Annotated[str, AfterValidator(_prefix)]
Cidr = Annotated[Network, PlainValidator(_network)]
AllowlistShape = Annotated[dict[Prefix, list[Cidr]], Field(max_length=256)]


def read_rules(shape: Mapping[str, list[Network]]) -> dict[str, Networks]:
    """The rules that a validated file gives."""
    return {prefix: tuple(networks) for prefix, networks in shape.items()}
