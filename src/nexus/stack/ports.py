"""Ports of the services: chosen once, remembered, and given up only where someone else has taken them."""

import json
import socket
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

import psutil

from nexus.stack.state import read_json, write_atomically

# Below the ports that Linux and macOS give to outgoing connections, so that none of those is in the way later.
_FIRST: Final = 20000
_COUNT: Final = 10000


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Who listens on a port, as "name (process 123)"; empty where the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and local == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""


class PortBook:
    """Which program has which port of 127.0.0.1, kept in a file so that it stays the same from run to run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = read_json(path)
        entries = known.items() if isinstance(known, dict) else ()
        self._ports: dict[str, int] = {name: port for name, port in entries if isinstance(port, int)}

    def port_for(self, name: str, wanted: int | None = None) -> int:
        """A free port for the program `name`: `wanted` or the remembered one if they are free, else another.

        Raises OSError where the book cannot be written or no port is left.
        """
        others = {port for other, port in self._ports.items() if other != name}
        for port in (wanted, self._ports.get(name)):
            if port and port not in others and is_free("127.0.0.1", port):
                return self._remember(name, port)
        return self._remember(name, self._choose(name, others))

    def forget(self, name: str) -> None:
        """Give a port back that is needed no more; it is written down with the next change."""
        self._ports.pop(name, None)

    def _choose(self, name: str, taken: Collection[int]) -> int:
        start = zlib.crc32(f"{self._path}:{name}".encode())
        for step in range(_COUNT):
            port = _FIRST + (start + step) % _COUNT
            if port not in taken and is_free("127.0.0.1", port):
                return port
        raise OSError("no free port is left on 127.0.0.1")

    def _remember(self, name: str, port: int) -> int:
        if self._ports.get(name) != port:
            self._ports[name] = port
            write_atomically(self._path, json.dumps(self._ports, indent=1, sort_keys=True) + "\n")
        return port
