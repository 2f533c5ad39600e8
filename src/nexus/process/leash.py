"""Runs a command and kills it, with all that it started, when the process that asked for it is gone.

`python leash.py FD COMMAND…`: FD is the read end of a pipe whose write end only that process holds. This file is
run by its path, as the leader of a process group, and imports nothing of Nexus. A request to end is the command's to
heed: it goes to the whole group.
"""

import os
import signal
import subprocess
import sys
import threading


def main(lifeline: int, command: list[str]) -> None:
    """Run the command to its end and exit with its status: 127 if it is not there, above 128 if a signal ended it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # unlike one that is ignored, the command does not inherit it
    try:
        process = subprocess.Popen(command)  # noqa: S603 - the caller's own command
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    status = process.wait()
    sys.exit(status if status >= 0 else 128 - status)


def _watch(lifeline: int) -> None:
    if not os.read(lifeline, 1):
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
