"""The lifeline: an inherited pipe whose end means that the parent is gone, however it went."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[int]:
    """The read end of a pipe whose write end this process alone holds: it ends when this process does, however.

    Children that inherit the read end (NEXUS_LIFELINE_FD) notice by it that they are alone.
    """
    read_end, write_end = os.pipe()
    try:
        yield read_end
    finally:
        os.close(write_end)
        os.close(read_end)


def watch(fd: int, gone: Callable[[], None]) -> None:
    """Have `gone` called once on the running loop when the other end of `fd` is closed. What is written is ignored."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)

    def readable() -> None:
        try:
            data = os.read(fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(fd)
            gone()

    loop.add_reader(fd, readable)
