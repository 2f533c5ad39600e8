"""NVIDIA's GPUs as their driver tells of them: by nvidia-ml-py where that is installed, else by nvidia-smi."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nexus.stack.doctor.commands import ask

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU; memory in MB."""

    name: str
    memory: int
    driver: str


class DriverError(RuntimeError):
    """There is a driver, and it says that something is wrong."""


def cards() -> tuple[Card, ...] | None:
    """The GPUs; None where there is no driver. Raises DriverError."""
    try:
        library = import_module("pynvml")
    except ImportError:
        return _from_smi()
    return _from_library(library)


def _from_library(library: Any) -> tuple[Card, ...] | None:
    try:
        library.nvmlInit()
    except library.NVMLError_LibraryNotFound:
        return None
    except library.NVMLError as error:
        raise DriverError(str(error)) from error
    try:
        driver = str(library.nvmlSystemGetDriverVersion())
        handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
        return tuple(
            Card(str(library.nvmlDeviceGetName(one)), library.nvmlDeviceGetMemoryInfo(one).total // _MB, driver)
            for one in handles
        )
    except library.NVMLError as error:
        raise DriverError(str(error)) from error
    finally:
        library.nvmlShutdown()


def _from_smi() -> tuple[Card, ...] | None:
    said = ask("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
    if said is None:
        return None
    if said.status != 0:
        raise DriverError(said.last_line)
    return tuple(card for line in said.out.splitlines() if (card := parse_line(line)) is not None)


def parse_line(line: str) -> Card | None:
    """One line of nvidia-smi's CSV: name, MiB, driver. Memory that it does not tell ("[N/A]") is 0."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 3:
        return None
    return Card(parts[0], int(parts[1]) if parts[1].isdecimal() else 0, parts[2])
