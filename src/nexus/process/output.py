"""A file of its own for a thread that writes where the process does: to a paused terminal, or a reader that is stuck.

A thread that is in the middle of a write when the process ends holds the lock of the file that it writes to. If that is
`sys.stdout`, the interpreter finds it locked when it flushes at its end, and aborts.
"""

import io
import os
from contextlib import suppress
from typing import BinaryIO, TextIO


def own_bytes(stream: TextIO) -> BinaryIO:
    """A binary file that writes where `stream` does."""
    return os.fdopen(os.dup(stream.fileno()), "wb")


def own_text(stream: TextIO) -> TextIO:
    """A text file that writes where `stream` does; `stream` itself where that is no file of the system."""
    with suppress(OSError, io.UnsupportedOperation):
        descriptor = os.dup(stream.fileno())
        return os.fdopen(descriptor, "w", encoding=stream.encoding, errors="replace")
    return stream
