"""What has become of a call, as far as its permit has to know."""

from typing import Protocol

from nexus.contract.usage import Usage
from nexus.policies.stopwatch import Stopwatch


class Spent(Protocol):
    """`usage` None: nobody has counted its tokens. `events` are those of a stream, `bytes_out` the answer's bytes.

    `stopwatch` measures for how long an instance is held, None where nobody wants to know.
    """

    status: int
    usage: Usage | None
    events: int
    bytes_out: int
    stopwatch: Stopwatch | None
