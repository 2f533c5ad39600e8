"""How long a client waits, as its head says it: `x-nexus-timeout` in seconds, `x-nexus-deadline` as a time.

A gateway in front of this one sends the latter; both only make what the gateway itself bounds shorter.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError

TIMEOUT: Final = b"x-nexus-timeout"
DEADLINE: Final = b"x-nexus-deadline"


def read_patience(fields: Mapping[bytes, bytes]) -> tuple[float | None, float | None]:
    """Seconds for the whole answer, and the Unix time by which it must be through; None where nothing is said.

    Raises ApiError (400).
    """
    return _number(fields, TIMEOUT, "seconds"), _number(fields, DEADLINE, "a Unix time in seconds")


def _number(fields: Mapping[bytes, bytes], name: bytes, what: str) -> float | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not isfinite(number) or number <= 0:
        header = name.decode()
        raise ApiError(INVALID_REQUEST, f"{header}: it should be {what}, more than 0.", param=header)
    return number
