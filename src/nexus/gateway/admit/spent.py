"""What has become of a call, as far as its permit has to know."""

from typing import Protocol

from nexus.contract.usage import Usage


class Spent(Protocol):
    """`usage` None: nobody has counted its tokens. `events` are those of a stream, `bytes_out` the answer's bytes."""

    status: int
    usage: Usage | None
    events: int
    bytes_out: int
