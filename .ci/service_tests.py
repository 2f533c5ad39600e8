"""Runs each service's own tests, in an environment like the service's with the test tools beside it."""

import subprocess
import sys
import time
from pathlib import Path

from nexus.stack.config import find_stack
from nexus.stack.environments import ensure_environment
from nexus.stack.uv import UvError

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "requirements" / "service-tests.lock"


def main() -> int:
    """Run them all, one after the other, and say what each took; 1 if one of them failed or has no tests."""
    verdicts = []
    for folder in find_stack(ROOT, ROOT).every_folder():
        say(f"\n{folder.name}: its own tests")
        started = time.monotonic()
        passed = passes(folder)
        verdicts.append(
            (passed, f"{folder.name}: {'passed' if passed else 'failed'}, {time.monotonic() - started:.0f} s")
        )
        say(verdicts[-1][1])
    say("\nservices:")
    for _, verdict in verdicts:
        say(f"  {verdict}")
    return 0 if all(passed for passed, _ in verdicts) else 1


def passes(folder: Path) -> bool:
    """Whether the service has tests, and all of them pass; those that are skipped are named with the reason."""
    if not (folder / "tests").is_dir():
        say(f"{folder.name}: has no tests")
        return False
    try:
        python = ensure_environment(folder, ROOT / ".nexus" / "tests", extra=TOOLS)
    except (UvError, OSError) as error:
        say(f"{folder.name}: its environment cannot be made: {error}")
        return False
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(folder / "tests")]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0  # noqa: S603


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
