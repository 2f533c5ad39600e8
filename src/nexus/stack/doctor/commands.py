"""Asks other programs on this machine, bounded in time."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

SECONDS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended and what it said; status 124 where it did not end in time."""

    status: int
    out: str = ""
    err: str = ""

    @property
    def last_line(self) -> str:
        return next(iter(reversed((self.err or self.out).strip().splitlines())), f"it ended with status {self.status}")


def ask(*command: str, seconds: float = SECONDS) -> Said | None:
    """What a program says; None where there is no such program. It is killed when its time is over."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return Said(124, err=f"{command[0]} did not answer within {seconds:g} s")
    except OSError as error:
        return Said(126, err=str(error))
    return Said(done.returncode, done.stdout, done.stderr)
