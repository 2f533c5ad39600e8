"""Runs each service's own tests, in an environment like the service's with the test tools beside it."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nexus.stack.config import find_stack
from nexus.stack.environments import ensure_environment
from nexus.stack.uv import UvError

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "requirements" / "service-tests.lock"


@dataclass(frozen=True)
class Verdict:
    """How a service's tests went, and what they said."""

    name: str
    passed: bool
    seconds: float
    said: str

    @property
    def line(self) -> str:
        return f"{self.name}: {'passed' if self.passed else 'failed'}, {self.seconds:.0f} s"


def main() -> int:
    """Run them all, as many at once as there are cores; 1 if one of them failed or has no tests."""
    folders = find_stack(ROOT, ROOT).every_folder()
    verdicts = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for verdict in pool.map(examined, folders):
            say(f"\n{verdict.name}: its own tests\n{verdict.said}\n{verdict.line}")
            verdicts.append(verdict)
    say("\nservices:")
    for verdict in verdicts:
        say(f"  {verdict.line}")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def examined(folder: Path) -> Verdict:
    """The verdict on one service; tests that are skipped are named with the reason."""
    started = time.monotonic()
    passed, said = tested(folder)
    return Verdict(folder.name, passed, time.monotonic() - started, said.strip())


def tested(folder: Path) -> tuple[bool, str]:
    """Whether the service has tests and all of them pass, and what they said."""
    if not (folder / "tests").is_dir():
        return False, "it has no tests"
    try:
        python = ensure_environment(folder, ROOT / ".nexus" / "tests", extra=TOOLS)
    except (UvError, OSError) as error:
        return False, f"its environment cannot be made: {error}"
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(folder / "tests")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603
    return done.returncode == 0, done.stdout + done.stderr


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
