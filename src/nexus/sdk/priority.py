"""How much of a busy machine a service gets beside the others: its niceness."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

AUTOGROUP: Final = Path("/proc/self/autogroup")


def be_nice(by: int) -> None:
    """Give this thread, and all that it will start, `by` (0 to 19) more niceness.

    Linux shares the processor among sessions first ("autogroups"), and niceness counts only within one; `nexus up`
    starts each service in a session of its own. So a process that leads its session makes the whole session nice as
    well (see sched(7)). One that does not, for instance in someone's shell, leaves the session alone. Has to be called
    before there are other threads: on Linux each has a niceness of its own.
    """
    if not by:
        return
    os.nice(by)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # no Linux, no autogroups, or they are not ours to change
            AUTOGROUP.write_text(str(by), encoding="ascii")
