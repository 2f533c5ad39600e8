"""Starts a service folder as a process on a free port, for as long as it is needed."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from nexus.sdk.environment import child_environment
from nexus.sdk.problems import ServiceError

END_SECONDS: Final = 15
_KEPT_LINES: Final = 40


@contextmanager
def launched(folder: Path, python: Path | None = None, **variables: str) -> Iterator[str]:
    """The base URL of the service in `folder`, run by `python` (else by this interpreter) until the block ends.

    `variables` are added to its environment. It need not be ready yet. Raises ServiceError when it cannot start.
    """
    command = [
        str(python or sys.executable),
        "-m",
        "nexus.sdk.serve",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    held, lifeline = _lifeline()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module, run by an interpreter that the caller trusts
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=child_environment({**variables, "NEXUS_LIFELINE_FD": str(lifeline)}),
            pass_fds=(lifeline,),
        )
    finally:
        os.close(lifeline)
    try:
        with process, _running(process) as address:
            yield address
    finally:
        os.close(held)


def _lifeline() -> tuple[int, int]:
    """The end that this process holds, and the one that the service watches."""
    watched, held = os.pipe()
    return held, watched


@contextmanager
def _running(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """The service's address; its log is read on by a thread, so that it can write on. Ends the process."""
    log = process.stdout
    assert log is not None  # noqa: S101 - it was asked for
    reader = threading.Thread(target=deque, args=(log, 0), daemon=True)
    try:
        address = _address(process, log)
        reader.start()
        yield address
    finally:
        _end(process)
        if reader.ident is not None:
            reader.join()


def _address(process: "subprocess.Popen[bytes]", log: IO[bytes]) -> str:
    """Read the service's log until it says where it listens."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    for line in log:
        try:
            told = json.loads(line)
        except ValueError:
            told = {}
        if isinstance(told, dict) and told.get("event") == "listening":
            return str(told["url"])
        last.append(line.decode(errors="replace").strip())
    process.wait()
    raise ServiceError(f"the service ended with status {process.returncode}: {' | '.join(last)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
