"""A real PostgreSQL of its own, where Debian's package is installed."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.gateway import free_port

PASSWORD = "p@ss/word"
USER = "nexus"


def postgres_binaries() -> Path | None:
    """The folder of the newest installed server, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def why_not() -> str:
    """Why no server can be started here; empty where one can."""
    if postgres_binaries() is None:
        return "PostgreSQL's server is not installed (Debian: apt install postgresql)"
    if os.geteuid() == 0 and not (shutil.which("setpriv") and _has_user("postgres")):
        return "PostgreSQL does not run as root, and there is no user postgres to run it as"
    return ""


class Postgres:
    """A server on loopback with a data folder of its own: stopped, it is as if it had been killed, and begins anew.

    `address` is `user:password@host:port`.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        port = free_port()
        self.address = f"{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{port}"
        self._binaries = binaries
        self._options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=16MB"
        self._control: list[str | Path] = ["pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]

    def start(self) -> None:
        _run(self._binaries, [*self._control, "-o", self._options, "start"])

    def stop(self) -> None:
        _run(self._binaries, [*self._control, "-m", "immediate", "stop"])


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server that runs, emptied of nothing but ours."""
    binaries = postgres_binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="nexus-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        data = folder / "data"
        initdb = ["initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "-N"]
        _run(binaries, [*initdb, "--no-locale"])
        server = Postgres(binaries, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """The same by its address."""
    with postgres_server() as server:
        yield server.address


def new_name() -> str:
    """A name for a database that nobody else uses."""
    return f"test_{secrets.token_hex(6)}"


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _run(binaries: Path, command: list[str | Path]) -> None:
    program = [str(binaries / command[0]), *map(str, command[1:])]
    if os.geteuid() == 0:
        program = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *program]
    # To a file and not a pipe: the server that pg_ctl starts keeps what it was given open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(program, check=False, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/")
        output.seek(0)
        assert done.returncode == 0, (program, output.read())
