"""uv as a command: its words, its failure, its end."""

import threading
from pathlib import Path

import psutil
import pytest

from nexus.stack.uv import Uv, UvError


def test_its_lines_are_told(tmp_path: Path) -> None:
    lines: list[str] = []
    Uv().run(["--version"], tmp_path, lines.append)
    assert lines[0].startswith("uv ")


def test_its_last_words_are_the_error(tmp_path: Path) -> None:
    with pytest.raises(UvError, match="unrecognized subcommand"):
        Uv().run(["no-such-command"], tmp_path, lambda _: None)


def test_stop_ends_what_runs(tmp_path: Path) -> None:
    """A build that never ends is cut short, and nothing of it is left."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "endless"\nbackend-path = ["."]\n'
    )
    (package / "endless.py").write_text("import time, sys\nprint('building', flush=True)\ntime.sleep(600)\n")
    uv, errors = Uv(), list[UvError]()

    def build() -> None:
        try:
            uv.run(["build", "--wheel", "--no-build-isolation", "-v", str(package)], tmp_path, seen)
        except UvError as error:
            errors.append(error)

    begun = threading.Event()

    def seen(line: str) -> None:
        if "Building" in line or "Calling" in line:
            begun.set()

    thread = threading.Thread(target=build)
    thread.start()
    assert begun.wait(20)
    children = psutil.Process().children(recursive=True)
    uv.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert len(errors) == 1
    assert psutil.wait_procs(children, timeout=10)[1] == []
    with pytest.raises(UvError, match="stopped"):
        uv.wait(0)
