"""Environments: made once, found at once, made anew when what goes into them changes."""

import shutil
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.stack.config import StackError
from nexus.stack.distribution import running_sdk
from nexus.stack.environments import Recipe, ensure_environment, environment_of
from nexus.stack.uv import Uv, UvError


@pytest.fixture
def folder(tmp_path: Path, make_service: Callable[[Path], Path]) -> Path:
    return make_service(tmp_path / "services" / "alpha")


def name_of(folder: Path, state: Path) -> str:
    return environment_of(Recipe(folder, running_sdk()), state).path.name


def test_the_name_changes_with_what_goes_in(folder: Path, tmp_path: Path) -> None:
    names = {name_of(folder, tmp_path)}
    for file, text in [
        ("requirements.txt", "a==1"),
        ("requirements.txt", "a==2"),
        ("requirements-nodeps.txt", "a==2"),
    ]:
        (folder / file).write_text(text)
        names.add(name_of(folder, tmp_path))
    extra = tmp_path / "extra.txt"
    extra.write_text("b==1")
    names.add(environment_of(Recipe(folder, running_sdk(), extra), tmp_path).path.name)
    (folder / "requirements-big.txt").write_text("c==1")
    names.add(environment_of(Recipe(folder, running_sdk(), extras=("big",)), tmp_path).path.name)
    assert len(names) == 6
    assert all(name.startswith("alpha-") for name in names)


def test_an_environment_is_made_and_found_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    python = ensure_environment(folder, tmp_path / "state", lines.append)
    told = subprocess.run([python, "-c", "import nexus.sdk.serve"], check=False, timeout=60)
    assert told.returncode == 0
    assert any(line.startswith("Installed") for line in lines)

    monkeypatch.setattr(socket, "socket", None)  # neither network nor another process is needed now
    monkeypatch.setattr(subprocess, "Popen", None)
    started = time.monotonic()
    assert ensure_environment(folder, tmp_path / "state") == python
    assert time.monotonic() - started < 0.1


def test_a_half_made_one_is_made_anew_and_old_ones_go(folder: Path, tmp_path: Path) -> None:
    envs = tmp_path / "envs"
    old, other = envs / "alpha-000000000000", envs / "alpha-000000000000-x"
    for path in (old, other):
        path.mkdir(parents=True)
    half = envs / name_of(folder, tmp_path)
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").write_text("broken")
    python = ensure_environment(folder, tmp_path)
    subprocess.run([python, "--version"], check=True, timeout=60)
    assert not old.exists()
    assert other.exists()


def test_an_extra_is_installed_with_the_rest(folder: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "more-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("more_words.py", "")
        file.writestr("more-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: more\nVersion: 1\n")
        file.writestr("more-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("more-1.dist-info/RECORD", "more_words.py,,\n")
    (folder / "requirements-more.txt").write_text(f"{wheel}\n")
    plain = environment_of(Recipe(folder, running_sdk()), tmp_path)
    python = ensure_environment(folder, tmp_path, extras=("more",))
    assert subprocess.run([python, "-c", "import more_words"], check=False, timeout=60).returncode == 0
    assert python != plain.python
    assert not plain.complete


def test_an_unknown_extra_is_told_by_its_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        ensure_environment(folder, tmp_path, extras=("moer",))
    file = folder / "requirements-moer.txt"
    assert str(caught.value) == f"the extra 'moer' of the service alpha: there is no {file}"


def test_one_that_lost_its_interpreter_is_not_complete(folder: Path, tmp_path: Path) -> None:
    environment = environment_of(Recipe(folder, running_sdk()), tmp_path)
    environment.path.mkdir(parents=True)
    (environment.path / ".nexus-complete").write_text("{}")
    assert not environment.complete


def test_what_uv_said_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "requirements.txt").write_text("./no-such-package\n")
    with pytest.raises(UvError, match="no-such-package"):
        ensure_environment(folder, tmp_path)
    assert not environment_of(Recipe(folder, running_sdk()), tmp_path).complete


def test_two_at_once_make_one(folder: Path, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_environment(folder, tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_stopped_uv_makes_nothing(folder: Path, tmp_path: Path) -> None:
    uv = Uv()
    uv.stop()
    with pytest.raises(UvError, match="stopped"):
        ensure_environment(folder, tmp_path, uv=uv)
    shutil.rmtree(tmp_path / "envs")
