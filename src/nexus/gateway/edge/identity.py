"""Request ids: the client's, if it sent a sane one, else one of ours."""

import random
import re
from typing import Final

_SANE: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id(sent: bytes | None) -> str:
    """The id under which a request is known in headers, logs and at the service."""
    if sent is not None and _SANE.fullmatch(sent):
        return sent.decode("ascii")
    return f"req-{random.getrandbits(96):024x}"
