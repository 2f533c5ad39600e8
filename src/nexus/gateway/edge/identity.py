"""Request ids: the client's, if it sent a sane one, else one of ours."""

import random
import re
from typing import Final

_SANE: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id(sent: bytes | None) -> str:
    """The id under which a request is known in headers, logs and at the service."""
    return sane_id(sent) or new_id()


def sane_id(sent: bytes | None) -> str | None:
    """The id that a client sent, if it may go into headers and logs."""
    return sent.decode("ascii") if sent is not None and _SANE.fullmatch(sent) else None


def new_id() -> str:
    """An id for a request that brings none."""
    return f"req-{random.getrandbits(96).to_bytes(12).hex()}"
