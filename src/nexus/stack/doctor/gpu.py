"""GPUs, their drivers, and what containers need to see them."""

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nexus.stack.doctor.engines import addresses
from nexus.stack.doctor.nvidia import Card, DriverError, cards
from nexus.stack.doctor.values import Finding, Host, Wanted, ok, problem, warning

_PCI: Final = Path("/sys/bus/pci/devices")
_KFD: Final = Path("/dev/kfd")
_MAKERS: Final = {"0x10de": "nvidia", "0x1002": "rocm"}
_DISPLAY: Final = ("0x0300", "0x0302", "0x0380")  # the PCI classes of what may be a GPU to compute on
_TOOLKIT: Final = ("nvidia-ctk", "nvidia-container-runtime", "nvidia-container-runtime-hook")
_HERE: Final = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


@dataclass(frozen=True, slots=True)
class Need:
    """A service that needs a GPU on this host, with so much memory in MB."""

    service: str
    memory: int


@dataclass(frozen=True, slots=True)
class Present:
    """What there is. `nvidia` is None without a driver, and `fault` what the driver complains of; `toolkit`: whether
    containers can be given NVIDIA's; `kfd`: whether ROCm's device may be used, None where there is none; `plugged` are
    the makers of the cards on the bus."""

    nvidia: tuple[Card, ...] | None = None
    fault: str = ""
    toolkit: bool = False
    kfd: bool | None = None
    metal: bool = False
    plugged: frozenset[str] = frozenset()


def gpu(host: Host) -> list[Finding]:
    return list(judge(look(), [need for wanted in host.services for need in needs(wanted)]))


def needs(wanted: Wanted) -> Iterator[Need]:
    """What a service needs of this host; nothing where its engine is at work on another one."""
    engine = wanted.manifest.deploy.engine
    own = wanted.manifest.resources.gpu
    if own.required:
        yield Need(wanted.name, own.vram_mb)
    if engine is not None and engine.gpu.required:
        places = [urlsplit(one.url).hostname for one in addresses(wanted) if one.variable == engine.url_env]
        if not places or places[0] in _HERE:
            yield Need(wanted.name, engine.gpu.vram_mb)


def look() -> Present:
    """Ask the drivers and the bus."""
    nvidia, fault = None, ""
    try:
        nvidia = cards()
    except DriverError as error:
        fault = str(error)
    return Present(
        nvidia=nvidia,
        fault=fault,
        toolkit=any(shutil.which(program) for program in _TOOLKIT),
        kfd=os.access(_KFD, os.R_OK | os.W_OK) if _KFD.exists() else None,
        metal=platform.system() == "Darwin" and platform.machine() == "arm64",
        plugged=plugged(_PCI),
    )


def plugged(bus: Path) -> frozenset[str]:
    """The makers of the graphics cards that the PCI bus tells of."""
    found = set()
    for device in bus.glob("*"):
        try:
            maker, kind = (device / "vendor").read_text().strip(), (device / "class").read_text().strip()
        except OSError:
            continue
        if kind[:6] in _DISPLAY and maker in _MAKERS:
            found.add(_MAKERS[maker])
    return frozenset(found)


def judge(present: Present, wanted: Sequence[Need]) -> Iterator[Finding]:
    """What there is, and whether it does for what is wanted. Memory in MB."""
    if present.fault:
        yield warning(f"NVIDIA's driver is not well: {present.fault}", "install the driver anew, or restart the host")
    elif present.nvidia:
        yield from _nvidia(present.nvidia, present.toolkit)
    elif "nvidia" in present.plugged:
        yield warning("there is an NVIDIA card, but no driver for it", "install NVIDIA's driver")
    if present.kfd is not None:
        yield _rocm(present.kfd)
    elif "rocm" in present.plugged:
        yield warning("there is an AMD card, but no /dev/kfd: ROCm cannot use it", "install AMD's amdgpu driver")
    if present.metal:
        yield ok("Metal: engines that are to use it run on the host, not in containers")
    usable = bool(present.nvidia or present.kfd or present.metal)
    if not usable and not wanted:
        yield ok("no GPU that can be used, and no service that is to run needs one")
    for need in wanted:
        yield from _fits(need, present, usable)


def _nvidia(found: Sequence[Card], toolkit: bool) -> Iterator[Finding]:
    for card in found:
        yield ok(f"{card.name}, {card.memory} MB, driver {card.driver}")
    if not toolkit:
        told = "NVIDIA's container toolkit is missing: containers cannot be given the GPU"
        yield warning(told, "install nvidia-container-toolkit, then: nvidia-ctk runtime configure --runtime=docker")


def _rocm(usable: bool) -> Finding:
    if usable:
        return ok("/dev/kfd may be used: ROCm")
    return warning("/dev/kfd may not be used by this user", "add the user to the groups render and video")


def _fits(need: Need, present: Present, usable: bool) -> Iterator[Finding]:
    if not usable:
        todo = "install its driver, run the engine on a host that has one, or leave the service out"
        yield problem(f"{need.service} needs a GPU, and there is none that can be used", todo)
        return
    largest = max((card.memory for card in present.nvidia or ()), default=0)
    if largest and need.memory > largest:
        told = f"{need.service} asks for {need.memory} MB of GPU memory; the largest GPU has {largest} MB"
        yield warning(told, "use smaller models with it, or a larger GPU")
