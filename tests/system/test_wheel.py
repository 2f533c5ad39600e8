"""The wheel: built, installed into a clean environment, and started in an empty folder, it is a whole Nexus."""

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.servers.whole_stack import embedded_services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [find_uv_bin(), "build", "--quiet", "--wheel", "-o", str(folder), str(ROOT)], check=True, timeout=120
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    interpreter = folder / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--python", str(interpreter), str(wheel)],
    ):
        subprocess.run([find_uv_bin(), *command], check=True, timeout=300, cwd=folder.parent)
    return interpreter


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    return {**kept, "NEXUS_PORT": "0"}


def test_services_and_the_stack_file_are_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {path.parent.name for path in ROOT.glob("services/*/service.toml")}
    bundled = {
        name.split("/")[3] for name in names if re.fullmatch(r"nexus/bundled/services/[^/]+/service\.toml", name)
    }
    assert bundled == folders
    assert "nexus/bundled/stack.toml" in names
    assert "nexus/cli/main.py" in names


def test_tests_caches_and_state_are_not(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [
        name for name in names if re.search(r"bundled/.*tests?[/.-]|__pycache__|\.nexus|\.pyc$|(^|/)src/", name)
    ] == []


def test_it_brings_the_command(python: Path, tmp_path: Path) -> None:
    nexus = [str(python.parent / "nexus"), "--version"]
    told = subprocess.run(nexus, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", told.stdout)


def test_a_stack_of_ones_own_starts_from_it(python: Path, tmp_path: Path) -> None:
    """A service made by the installed command runs in an environment that holds the installed Nexus."""
    nexus = str(python.parent / "nexus")
    (tmp_path / "services").mkdir()
    (tmp_path / "stack.toml").write_text('[stack]\nservices = ["services/*"]\n')
    subprocess.run([nexus, "service", "new", "greeter"], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    status, said = run_until(nexus, tmp_path, "Ctrl-C ends everything")
    assert status == 0
    assert re.search(r"^greeter: ready", said, re.MULTILINE), said


@pytest.mark.models
@pytest.mark.timeout(600)
def test_the_bundled_stack_starts_in_an_empty_folder(python: Path, tmp_path: Path) -> None:
    status, said = run_until(str(python.parent / "nexus"), tmp_path, "Ctrl-C ends everything")
    assert status == 0
    assert "/v1/chat/completions" in said
    for name in embedded_services():
        assert re.search(rf"^{name}: ready", said, re.MULTILINE), said


def run_until(nexus: str, folder: Path, words: str) -> tuple[int, str]:
    """Run `nexus up` until it says the words, then end it; its exit status and all that it said."""
    with subprocess.Popen(
        [nexus, "up"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if words in line:
                process.send_signal(signal.SIGINT)
        return process.wait(30), "".join(said)
