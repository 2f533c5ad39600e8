"""The two ways to ask NVIDIA's driver: a program with its recorded output, and the library's interface.

No GPU is needed: `nvidia-smi` is played by a script that prints what the real one does.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nexus.stack.doctor import nvidia
from nexus.stack.doctor.nvidia import Card, DriverError, cards, parse_line

OUTPUT = "NVIDIA H100 80GB HBM3, 81559, 550.54.15\nNVIDIA L4, 23034, 550.54.15\n"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(nvidia, "import_module", refuse)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.usefixtures("without_library")
def test_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "output").write_text(OUTPUT)
    install(tmp_path, monkeypatch, f"cat {tmp_path}/output")
    assert cards() == (Card("NVIDIA H100 80GB HBM3", 81559, "550.54.15"), Card("NVIDIA L4", 23034, "550.54.15"))


@pytest.mark.usefixtures("without_library")
def test_a_driver_that_is_not_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    with pytest.raises(DriverError, match="version mismatch"):
        cards()


@pytest.mark.usefixtures("without_library")
def test_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cards() is None


@pytest.mark.parametrize(
    ("line", "card"),
    [("NVIDIA GB10, [N/A], 580.1", Card("NVIDIA GB10", 0, "580.1")), ("No devices were found", None), ("", None)],
)
def test_lines(line: str, card: Card | None) -> None:
    assert parse_line(line) == card


class FaultyError(Exception):
    pass


class NoLibraryError(FaultyError):
    pass


def library(**changes: Any) -> Any:
    """The part of nvidia-ml-py's interface that is used."""
    functions = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "550.54.15",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda _: "NVIDIA L4",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=23034 * 1024 * 1024),
    }
    return SimpleNamespace(NVMLError=FaultyError, NVMLError_LibraryNotFound=NoLibraryError, **{**functions, **changes})


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "import_module", lambda _: library())
    assert cards() == (Card("NVIDIA L4", 23034, "550.54.15"),)


def test_the_library_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise NoLibraryError("NVML Shared Library Not Found")

    monkeypatch.setattr(nvidia, "import_module", lambda _: library(nvmlInit=absent))
    assert cards() is None


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_the_library_and_a_driver_that_is_not_well(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def fail() -> None:
        raise FaultyError("GPU is lost")

    monkeypatch.setattr(nvidia, "import_module", lambda _: library(**{function: fail}))
    with pytest.raises(DriverError, match="GPU is lost"):
        cards()
