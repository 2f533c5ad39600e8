"""A network of its own for a service (a namespace and a cable to it), so that it can be parted from the gateway."""

import os
import shutil
import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_NEAR: Final = "10.213.77.1"
FAR: Final = "10.213.77.2"


def why_not() -> str:
    """Why there cannot be such a network here; empty if there can."""
    if shutil.which("ip") is None:
        return "needs iproute2 (apt-get install iproute2)"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    tried = subprocess.run(["ip", "netns", "add", "nexus-chaos-try"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"network namespaces are not permitted here: {tried.stderr.strip()}"
    _ip("netns", "delete", "nexus-chaos-try")
    return ""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Use as a context manager. `prefix` starts a command inside, where the address is FAR."""

    def __init__(self) -> None:
        self._name = f"nexus-chaos-{os.getpid()}"
        self._near, self._far = f"nxa{os.getpid()}", f"nxb{os.getpid()}"

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
            _ip("address", "add", f"{_NEAR}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            self._inside("address", "add", f"{FAR}/30", "dev", self._far)
            self._inside("link", "set", self._far, "up")
            self._inside("link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(subprocess.CalledProcessError):  # where it could not be made
            _ip("link", "delete", self._near)
        _ip("netns", "delete", self._name)

    def part(self, how: str) -> None:
        """`cable`: it is pulled. `one way`: what is said inside is not heard outside; the service hears everything."""
        if how == "cable":
            self._inside("link", "set", self._far, "down")
        else:
            self._inside("route", "add", "blackhole", f"{_NEAR}/32")

    def heal(self, how: str) -> None:
        """As it was."""
        if how == "cable":
            self._inside("link", "set", self._far, "up")
        else:
            self._inside("route", "delete", "blackhole", f"{_NEAR}/32")

    def _inside(self, *words: str) -> None:
        _ip("-netns", self._name, *words)
