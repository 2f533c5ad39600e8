"""Runs each service's own tests, in an environment like the service's with the test tools beside it."""

import subprocess
import sys
from pathlib import Path

from nexus.stack.config import find_stack
from nexus.stack.environments import ensure_environment

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "requirements" / "service-tests.lock"


def main() -> int:
    """Run them all; 1 if one of them failed."""
    failed = []
    for folder in find_stack(ROOT, ROOT).folders():
        if not (folder / "tests").is_dir():
            continue
        sys.stdout.write(f"\n{folder.name}: its own tests\n")
        sys.stdout.flush()
        python = ensure_environment(folder, ROOT / ".nexus" / "tests", extra=TOOLS)
        command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", str(folder / "tests")]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603
            failed.append(folder.name)
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
